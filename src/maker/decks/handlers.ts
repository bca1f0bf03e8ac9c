// The handlers of decks as they stand, by the names of the maker's table.

import { Problem } from '../../domain/problem.ts'
import type { PresentationCommands } from '../../presentations/commands.ts'
import type { SaveDeck } from '../../presentations/slides/save-deck.ts'
import type { SaveDetails } from '../../presentations/slides/save-details.ts'
import type { Presenton } from '../../presenton/client.ts'
import { isObject } from '../../presenton/deck-responses.ts'
import { parseDeckId } from '../deck-ids.ts'
import { deckOf, type Exchange, type Handlers } from '../exchange.ts'
import type { OwnDeck } from '../own-decks.ts'
import { readTitle } from '../paid/texts.ts'
import type { createListDecks } from './list-decks.ts'
import { readSlide, readSlides, readTheme } from './read-saves.ts'

export interface DecksOptions {
  save: SaveDeck['save']
  saveKnown: SaveDeck['saveKnown']
  saveDetails: SaveDetails
  listDecks: ReturnType<typeof createListDecks>
  remove: PresentationCommands['remove']
  presenton: Pick<Presenton, 'deleteConversation'>
}

type Row = Record<string, unknown>

export function createDecks({
  save,
  saveKnown,
  saveDetails,
  listDecks,
  remove,
  presenton,
}: DecksOptions): Handlers {
  const ownOf = (exchange: Exchange) => ({
    userId: exchange.owner,
    id: deckOf(exchange).presentationId,
  })

  return {
    listDecks: ({ owner, query }) => listDecks(owner, query['version']),

    async deleteDeck(exchange) {
      await remove(ownOf(exchange))
      return exchange.reply.code(204).send()
    },

    async deleteConversation(exchange) {
      const { account, query, reply } = exchange
      const conversationId = parseDeckId(query['conversation_id'] ?? '')
      if (conversationId === undefined) throw new Problem('NOT_FOUND')
      const { deckId } = deckOf(exchange)
      // It is free, and may be asked again.
      const { signal } = new AbortController()
      await presenton.deleteConversation({ account, signal, deckId, conversationId })
      return reply.code(204).send()
    },

    async saveKnownSlide({ body, owner: userId, session: { hash: session } }) {
      const save = readKnownSave(body)
      const saved = save && (await saveKnown({ ...save, userId, session }))
      return saved && shown(saved)
    },

    async saveSlide(exchange) {
      const body = isObject(exchange.body) ? exchange.body : {}
      const slide = readSlide(body.slide, '/slide')
      const deck = deckOf(exchange)
      checkStatus(deck)
      const own = ownOf(exchange)
      return shown(await save({ own, deckId: deck.deckId, save: { kind: 'slide', slide } }))
    },

    async saveDeck(exchange) {
      const body = isObject(exchange.body) ? exchange.body : {}
      const deck = deckOf(exchange)
      const slides = readSlides(body.slides)
      const theme = readTheme(body.theme)
      const given = readTitle(body.title)
      const title = given === deck.title ? undefined : given
      checkStatus(deck)
      const own = ownOf(exchange)
      const { deckId, isEarlier } = deck
      const change = { own, deckId, title }
      const saved =
        slides.length > 0
          ? await save({
              ...change,
              save: { kind: 'deck', slides, theme, isOfEarlierDeck: isEarlier },
            })
          : theme
            ? await save({ ...change, save: { kind: 'theme', theme } })
            : await saveDetails({ ...change, account: exchange.account })
      return shown(saved, given ?? deck.title)
    },
  }
}

/**
 * Spares upstream and the database what cannot be; whether a running run allows it is found out there.
 *
 * @throws Problem CONFLICT
 */
function checkStatus({ status }: OwnDeck): void {
  if (status !== 'completed' && status !== 'running') throw new Problem('CONFLICT')
}

/** Undefined for what is to be refused: only a session that is checked is told why. */
function readKnownSave(body: unknown) {
  const { slide: given } = isObject(body) ? body : {}
  const { presentation } = isObject(given) ? given : {}
  const deckId = typeof presentation === 'string' ? parseDeckId(presentation) : undefined
  if (deckId === undefined) return undefined
  try {
    return { deckId, slide: readSlide(given, '/slide') }
  } catch {
    return undefined
  }
}

/** Without upstream's account, and under our title. */
function shown({ owner_id: _, ...row }: Row, title: string | null = null): Row {
  const { slides } = row
  return {
    ...row,
    ...(title !== null && 'title' in row && { title }),
    ...(Array.isArray(slides) && { slides: slides.map((slide: Row) => shown(slide)) }),
  }
}
