// A turn of upstream's chat. It costs one unit of the quota of edits and is never repeated. It
// holds the deck: its tools may change any slide, or the outlines. What it did is read from
// upstream when it has ended, however it ended and even if no tab is open.

import { randomUUID } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import {
  type ChatTurn,
  deleteTurn,
  endUnknownTurn,
  giveTurnBack,
  insertTurn,
  renewTurn,
} from '../../database/chat-turns.ts'
import type { Database } from '../../database/connection.ts'
import { finishChange, lockLease } from '../../database/deck-changes.ts'
import { takeEdit } from '../../database/edit-quota.ts'
import { recordImages } from '../../database/images.ts'
import { settleSlides } from '../../database/ledger.ts'
import { Problem } from '../../domain/problem.ts'
import type { UpstreamAccount } from '../../presenton/account.ts'
import type { Presenton } from '../../presenton/client.ts'
import type { DeckSlides } from '../../presenton/deck-responses.ts'
import type { ResponseCause } from '../../presenton/failures.ts'
import { findImagePaths } from '../../presenton/image-paths.ts'
import type { Message } from '../../presenton/messages.ts'
import { slideDigests } from '../../presenton/slide-digest.ts'
import type { OwnedPresentation } from '../start-run.ts'
import { lockAdmission } from '../statements/insert.ts'
import { keepOutlines, lockPresentation } from '../statements/transitions.ts'
import { createDeckLocks, deckLockLost } from './deck-locks.ts'
import { checkFree, whenDeckIsFree } from './when-deck-is-free.ts'

export interface ChatTurnsOptions {
  database: Pick<Database, 'query' | 'transaction'>
  presenton: Pick<
    Presenton,
    'readDeck' | 'readOutlines' | 'writeOutlines' | 'streamChatTurn' | 'state'
  >
  /** Per user; 0 means unlimited. */
  editsPerDay: number
  leaseMs: number
  logger: { warn: (context: object, message: string) => void }
}

export interface TurnRequest {
  own: OwnedPresentation
  account: UpstreamAccount
  message: string
  conversationId: string | undefined
  /** Upstream's handles of the files that go with the message. */
  attachments: string[] | undefined
  /** Aborts when the caller leaves; until upstream is asked, nothing happens then. */
  signal: AbortSignal
}

export type StartChatTurn = ReturnType<typeof createStartChatTurn>

/** What a turn found when it began. */
interface Held {
  turn: ChatTurn
  deckId: string
  /** While outlines await approval, the turn is about them. */
  outlines: string[] | undefined
}

export function createStartChatTurn(options: ChatTurnsOptions) {
  const { database, presenton, editsPerDay, leaseMs, logger } = options
  const locks = createDeckLocks({ database, leaseMs })

  const take = ({ own, signal }: TurnRequest): Promise<Held> =>
    whenDeckIsFree(signal, () =>
      database.transaction(async (client) => {
        await client.query(lockAdmission)
        const { status, deckId, outlines } = await lockPresentation(client, own)
        const isInReview = status === 'awaiting_outlines'
        if ((!isInReview && status !== 'completed') || deckId === null)
          throw new Problem('CONFLICT')
        await checkFree(client, own.id)
        const useId = await takeEdit(client, own.userId, editsPerDay)
        const turn = { id: own.id, token: randomUUID() }
        await insertTurn(client, turn, { useId, leaseMs })
        return { turn, deckId, outlines: isInReview ? (outlines ?? []) : undefined }
      }),
    )

  /** What the turn works on, as it is now. Outlines may have been changed here since. */
  async function prepare({ account }: TurnRequest, { deckId, outlines }: Held) {
    const call = { account, deckId, signal: new AbortController().signal }
    if (outlines === undefined) return presenton.readDeck(call)
    await presenton.writeOutlines({ ...call, outlines })
    return undefined
  }

  /** With the lock of the deck, so that no save comes between the read and what is noted of it. */
  async function concludeDeck(
    { own, account }: TurnRequest,
    { turn, deckId }: Held,
    before: DeckSlides,
  ): Promise<void> {
    const { signal } = new AbortController()
    const deck = await locks.take({ own, signal, passesTurns: true })
    try {
      const after = await presenton.readDeck({ account, deckId, signal })
      const slideCount = after.slides.length
      await database.transaction(async (client) => {
        if (!(await lockLease(client, own.id))) return
        if (!(await deleteTurn(client, turn))) return
        const revision = await finishChange(client, deck.lock, {
          digests: slideDigests(after),
          digestsBefore: slideDigests(before),
          slideCount,
          isOtherTheme: !isDeepStrictEqual(after.presentation.theme, before.presentation.theme),
        })
        if (revision === undefined) throw deckLockLost()
        const images = recordImages(own.userId, [...findImagePaths(after.slides)])
        for (const { text, values } of [settleSlides(slideCount), images])
          await client.query(text, [own.id, ...values])
      })
    } finally {
      await deck.release()
    }
  }

  async function concludeOutlines(
    { own, account }: TurnRequest,
    { turn, deckId, outlines }: Held,
  ): Promise<void> {
    const { signal } = new AbortController()
    const found = await presenton.readOutlines({ account, deckId, signal })
    await database.transaction(async (client) => {
      if (!(await lockLease(client, own.id))) return
      if (!(await deleteTurn(client, turn))) return
      const locked = await lockPresentation(client, own)
      const isInReview = locked.status === 'awaiting_outlines'
      if (!isInReview || !found?.length || JSON.stringify(found) === JSON.stringify(outlines))
        return
      const { text, values } = settleSlides(found.length)
      await client.query(text, [own.id, ...values])
      await keepOutlines(client, locked, found)
    })
  }

  /** Never rejects: a deck that cannot be read counts as changed. */
  async function end(request: TurnRequest, held: Held, before: DeckSlides | undefined) {
    const concluded = before ? concludeDeck(request, held, before) : concludeOutlines(request, held)
    await concluded
      .catch((error: unknown) => {
        logger.warn({ err: error }, 'a deck could not be read after a turn of the chat')
        return endUnknownTurn(database, held.turn)
      })
      // The turn expires by itself.
      .catch(() => undefined)
  }

  /**
   * Starts a turn, and returns its messages. They go on, and the turn is ended, without a reader,
   * too: so they must be read to their end.
   *
   * @throws Problem NOT_FOUND, CONFLICT, QUOTA_EXCEEDED, UPSTREAM_…
   */
  return async function startChatTurn(
    request: TurnRequest,
  ): Promise<AsyncGenerator<Message[], void>> {
    if (presenton.state().breaker === 'open') throw new Problem('UPSTREAM_UNAVAILABLE')
    const held = await take(request)
    const renewal = setInterval(
      () => void renewTurn(database, held.turn, leaseMs).catch(() => undefined),
      leaseMs / 3,
    )
    const stop = () => clearInterval(renewal)
    const before = await prepare(request, held).catch(async (error: unknown) => {
      stop()
      await giveTurnBack(database, held.turn).catch(() => undefined)
      throw error
    })
    const { account, message, conversationId, attachments } = request
    const { signal } = new AbortController()
    const call = { account, signal, deckId: held.deckId, message, conversationId, attachments }

    return (async function* () {
      let wasRefused = false
      try {
        yield* presenton.streamChatTurn(call)
      } catch (error) {
        wasRefused = wasNeverAsked(error)
        throw error
      } finally {
        stop()
        if (wasRefused) await giveTurnBack(database, held.turn).catch(() => undefined)
        else await end(request, held, before)
      }
    })()
  }
}

/** Upstream was not reached, or did not accept our credentials. */
function wasNeverAsked(error: unknown): boolean {
  if (!(error instanceof Problem)) return false
  const { status } = (error.cause ?? {}) as Partial<ResponseCause>
  return status === undefined && (error.failure === 'outage' || error.failure === 'credentials')
}
