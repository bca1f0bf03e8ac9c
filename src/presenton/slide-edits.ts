// Lets upstream's model change one slide. Each call costs money, so it is made once and never
// repeated. What it did is read from the deck afterwards: a chat may change more than it was asked
// to, and a call that failed may have changed something.

import { Problem } from '../domain/problem.ts'
import type { CallOptions } from './account.ts'
import type { CallMetrics } from './call-metrics.ts'
import type { Calls } from './calls.ts'
import { isObject, parseChatTurn } from './deck-responses.ts'
import type { DeckCall } from './decks.ts'
import { type Features, paths } from './dialect.ts'
import { fault } from './failures.ts'
import type { PerformOperation } from './operation.ts'
import type { Probe } from './probe.ts'

export interface SlideEditCall extends DeckCall {
  slideId: string
  slideIndex: number
  instruction: string
  /** Of the chat, where there is one. It is chosen here, so that it is known after a crash. */
  conversationId: string
}

export interface SlideEditResult {
  /** To be deleted; undefined where there is no chat. */
  conversationId?: string
  tools: string[]
}

interface SlideEditsOptions {
  calls: Calls
  perform: PerformOperation
  probe: Probe
  metrics: CallMetrics
  /** `stallMs` is for the silence until the model has finished. */
  timeouts: { createMs: number; stallMs: number }
}

/** Upstream leaves the lines of context out of what it keeps of the conversation. */
const messageOf = ({ slideIndex, instruction }: SlideEditCall) =>
  [
    `UI context: the currently selected slide is slide ${slideIndex + 1} (zero-based index ${slideIndex}).`,
    'UI context: change only this slide. Inspect it with getSlideAtIndex first. Do not add, delete or',
    'reorder slides, and do not change the theme. Do not ask back: make the change now.',
    `User message: ${instruction}`,
  ].join('\n')

export function createSlideEdits(options: SlideEditsOptions) {
  const { calls, perform, probe, metrics, timeouts } = options

  const editCall = ({ account, signal }: CallOptions, { auth }: Features) =>
    ({
      account,
      signal,
      auth,
      routeKind: 'edit',
      method: 'POST',
      timeoutMs: timeouts.stallMs,
      isSlow: true,
      isPaid: true,
      isOnce: true,
    }) as const

  async function editContent(options: SlideEditCall, features: Features): Promise<SlideEditResult> {
    const slide = await calls.fetchJson({
      ...editCall(options, features),
      path: paths.slideEdit,
      json: { id: options.slideId, prompt: options.instruction },
    })
    if (!isObject(slide)) throw fault('the edited slide has an unexpected shape')
    return { tools: [] }
  }

  const editByChat = async (options: SlideEditCall, features: Features): Promise<SlideEditResult> =>
    parseChatTurn(
      await calls.fetchJson({
        ...editCall(options, features),
        path: paths.chat,
        json: {
          presentation_id: options.deckId,
          message: messageOf(options),
          conversation_id: options.conversationId,
        },
      }),
    )

  return {
    /** @throws Problem NOT_SUPPORTED where the version cannot; any failure of the call */
    editSlide: (options: SlideEditCall): Promise<SlideEditResult> =>
      metrics.measure('edit', async () => {
        // Not `perform`: that may act twice.
        const features = await probe.read(options.signal)
        if (features.slideEdit === null) throw new Problem('NOT_SUPPORTED', { failure: 'final' })
        return features.slideEdit === 'chat'
          ? editByChat(options, features)
          : editContent(options, features)
      }),

    /** Succeeds as well if there is no such conversation, or no chat. */
    deleteConversation: (options: DeckCall & { conversationId: string }): Promise<void> =>
      perform({ operation: 'conversation', signal: options.signal }, async (features) => {
        if (features.slideEdit !== 'chat') return
        const { account, signal, deckId, conversationId } = options
        await calls.send({
          account,
          signal,
          auth: features.auth,
          routeKind: 'other',
          isCheap: true,
          method: 'DELETE',
          path: paths.conversation(deckId, conversationId),
          timeoutMs: timeouts.createMs,
          expectedStatuses: [404],
        })
      }),
  }
}
