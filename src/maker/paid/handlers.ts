// All handlers of what costs money, by the names of the maker's table.

import type { BriefLimits } from '../../contract/brief.ts'
import type { Channels } from '../../database/channels.ts'
import type { Database } from '../../database/connection.ts'
import { Problem } from '../../domain/problem.ts'
import type { PresentationCommands } from '../../presentations/commands.ts'
import type { StartChatTurn } from '../../presentations/slides/chat-turns.ts'
import type { StartRegeneration } from '../../presentations/slides/start-regeneration.ts'
import type { Presenton } from '../../presenton/client.ts'
import { deckOf, type Exchange, type Handler, type Handlers } from '../exchange.ts'
import { deleteGrant, findGrant } from '../statements/grants.ts'
import { createChatHandlers } from './chat.ts'
import { createDeckHandlers, type DeckHandlers } from './decks.ts'
import { createExportHandlers, type ExportHandlers } from './exports.ts'
import { errorMessage } from './frames.ts'
import { createGenerateImage } from './images.ts'
import { createOutlinesHandlers } from './outlines.ts'
import { streamOutlines } from './outlines-stream.ts'
import { checkPresentationPage } from './presentation-page.ts'
import { createSendStream, type Messages, type SendStream } from './send-stream.ts'
import { checkPrepared, isMakingSlides, streamSlides } from './slides-stream.ts'
import { type DeckState, findDeckState } from './statements.ts'

export interface PaidOptions extends SendStream, Omit<ExportHandlers, 'exportAgain'> {
  database: Pick<Database, 'query' | 'transaction'>
  channels: Pick<Channels, 'subscribe'>
  presenton: Presenton
  commands: PresentationCommands & Pick<DeckHandlers, 'createWithDeck' | 'finished'>
  startRegeneration: StartRegeneration
  startTurn: StartChatTurn
  resolveFiles: DeckHandlers['resolveFiles']
  limits: BriefLimits
  defaultTemplate: string
  editsPerDay: number
}

const respond = () => ({ status: 202, location: '', body: null })

export function createPaidHandlers(options: PaidOptions): Handlers {
  const { database, commands, startRegeneration, limits } = options
  const sendStream = createSendStream(options)

  async function readState({ owner: userId, ...exchange }: Exchange): Promise<DeckState> {
    const { presentationId: id } = deckOf({ ...exchange, owner: userId })
    const state = await findDeckState(database, { userId, id })
    if (!state) throw new Problem('NOT_FOUND')
    return state
  }

  /** Starts the run that the session was granted, if it was. */
  async function useGrant(exchange: Exchange, state: DeckState): Promise<DeckState> {
    const grant = { session: exchange.session.hash, presentationId: state.id }
    const afterRun = await findGrant(database, grant)
    if (afterRun === undefined) return state
    const own = { userId: state.userId, id: state.id }
    const { signal } = new AbortController()
    await startRegeneration({ own, afterRun, signal }, { respond }).catch(
      async (error: unknown) => {
        if (!(error instanceof Problem) || error.code !== 'CONFLICT') throw error
        // Another stream of this session was first, or another run has started: it is followed.
        // Without one, the chat holds the deck, and the editor asks again in a moment.
        if ((await readState(exchange)).run === afterRun) throw error
      },
    )
    await deleteGrant(database, grant)
    return readState(exchange)
  }

  return {
    ...createDeckHandlers({ ...options, ...commands }),
    ...createOutlinesHandlers({ ...options, commands, maxSlides: limits.maxSlides }),
    ...createExportHandlers({ ...options, exportAgain: commands.exportAgain }),
    ...createChatHandlers({ ...options, sendStream }),
    generateImage: createGenerateImage(options),

    presentationPage: createPresentationPage(database),

    streamOutlines: (exchange) =>
      sendStream(exchange, async (signal) =>
        streamOutlines(options, await readState(exchange), signal),
      ),

    streamSlides: (exchange) =>
      sendStream(exchange, async (signal) => {
        let state = await readState(exchange)
        if (!isMakingSlides(state)) {
          try {
            state = await useGrant(exchange, state)
          } catch (error) {
            if (!(error instanceof Problem)) throw error
            // The interface shows the text of an event, and none of a status.
            return refusal(error)
          }
        }
        checkPrepared(state)
        return streamSlides(options, state, { account: exchange.account, signal })
      }),
  }
}

async function* refusal({ detail }: Problem): Messages {
  yield errorMessage(detail)
}

/** Sends nothing where upstream's page is the answer. */
function createPresentationPage(database: PaidOptions['database']): Handler {
  return async (exchange) => {
    const elsewhere = await checkPresentationPage(database, exchange)
    if (elsewhere !== undefined) await exchange.reply.redirect(elsewhere, 303)
  }
}
