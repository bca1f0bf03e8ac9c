// A turn of upstream's chat. It costs one unit of the quota of edits and is never repeated. It
// holds the deck: its tools may change any slide, or the outlines. What it did is read from
// upstream when it has ended, however it ended and even if no tab is open.

import { randomUUID } from 'node:crypto'
import { giveTurnBack, insertTurn, renewTurn } from '../../database/chat-turns.ts'
import { takeEdit } from '../../database/edit-quota.ts'
import { Problem } from '../../domain/problem.ts'
import type { UpstreamAccount } from '../../presenton/account.ts'
import type { Presenton } from '../../presenton/client.ts'
import type { ResponseCause } from '../../presenton/failures.ts'
import type { Message } from '../../presenton/messages.ts'
import type { OwnedPresentation } from '../start-run.ts'
import { lockAdmission } from '../statements/insert.ts'
import { lockPresentation } from '../statements/transitions.ts'
import { createEndTurn, type EndTurnOptions, type HeldTurn } from './end-turn.ts'
import { checkFree, whenDeckIsFree } from './when-deck-is-free.ts'

export interface ChatTurnsOptions extends EndTurnOptions {
  presenton: Pick<
    Presenton,
    'readDeck' | 'readOutlines' | 'writeOutlines' | 'streamChatTurn' | 'state'
  >
  /** Per user; 0 means unlimited. */
  editsPerDay: number
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

export function createStartChatTurn(options: ChatTurnsOptions) {
  const { database, presenton, editsPerDay, leaseMs } = options
  const endTurn = createEndTurn(options)

  const take = ({ own, signal }: TurnRequest): Promise<HeldTurn> =>
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
  async function prepare({ account }: TurnRequest, { deckId, outlines }: HeldTurn) {
    const call = { account, deckId, signal: new AbortController().signal }
    if (outlines === undefined) return presenton.readDeck(call)
    await presenton.writeOutlines({ ...call, outlines })
    return undefined
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
        else await endTurn(request, held, before)
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
