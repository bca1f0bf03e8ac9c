// Turns of the chat that works on a deck, and images by prompt. Each costs money at every call,
// so none is ever repeated: not after a new login, and not on another version.

import { extname } from 'node:path'
import type { Logger } from '../telemetry/logging.ts'
import type { CallOptions } from './account.ts'
import type { Call } from './calls.ts'
import { isObject, parseChatTurn, parseImagePath } from './deck-responses.ts'
import type { DeckStreamsOptions } from './deck-streams.ts'
import type { DeckCall } from './decks.ts'
import { type Features, paths } from './dialect.ts'
import { fault } from './failures.ts'
import { readMessageStream, type StreamTrouble } from './message-stream.ts'
import type { Message } from './messages.ts'

export interface ChatTurnCall extends DeckCall {
  message: string
  conversationId?: string | undefined
  /** Handles of uploaded files. */
  attachments?: string[] | undefined
  logger?: Pick<Logger, 'warn'>
}

/** Upstream shows the name in the chat. It is ours, like that of the file. */
const attachmentOf = (path: string, index: number) => ({
  type: 'document',
  name: `document-${index + 1}${extname(path)}`,
  file_path: path,
})

export function createChatTurns(options: DeckStreamsOptions) {
  const { calls, probe, metrics, timeouts, maxMessageBytes } = options

  const paidCall = ({ account, signal }: CallOptions, { auth }: Features) =>
    ({
      account,
      signal,
      auth,
      routeKind: 'edit',
      isPaid: true,
      isOnce: true,
    }) satisfies Partial<Call>

  async function* readTurn(call: ChatTurnCall): AsyncGenerator<Message[]> {
    const { signal, deckId, message, conversationId, attachments, logger = options.logger } = call
    const onTrouble = (trouble: StreamTrouble) =>
      logger.warn({ operation: 'chat', ...trouble }, 'Presenton sent a faulty stream')
    // Not `withFeatures`: that may act twice.
    const features = await probe.read(signal)
    const body = await calls.open({
      ...paidCall(call, features),
      method: 'POST',
      path: paths.chatStream,
      json: {
        presentation_id: deckId,
        message,
        ...(conversationId !== undefined && { conversation_id: conversationId }),
        ...(attachments && { attachments: attachments.map(attachmentOf) }),
      },
      timeoutMs: timeouts.streamMs,
      stallMs: timeouts.stallMs,
    })
    try {
      const contentType = body.headers['content-type']
      if (typeof contentType === 'string' && !contentType.startsWith('text/event-stream'))
        throw fault('the response is not an event stream')
      yield* readMessageStream(body.chunks(), {
        maxMessageBytes,
        checkComplete: ({ value }) => {
          parseChatTurn(isObject(value.chat) ? value.chat : undefined)
        },
        onTrouble,
      })
    } finally {
      body.close()
    }
  }

  return {
    /**
     * Ends after `complete`, whose `chat` names the conversation. Leaving it early stops upstream.
     */
    streamChatTurn: (call: ChatTurnCall): AsyncGenerator<Message[]> =>
      metrics.measureStream('chat', readTurn(call)),

    /** The path of a new image. */
    generateImage: (call: CallOptions & { prompt: string }): Promise<string> =>
      metrics.measure('generate-image', async () =>
        parseImagePath(
          await calls.fetchJson({
            ...paidCall(call, await probe.read(call.signal)),
            path: paths.generateImage(call.prompt),
            timeoutMs: timeouts.stallMs,
            isSlow: true,
          }),
        ),
      ),
  }
}
