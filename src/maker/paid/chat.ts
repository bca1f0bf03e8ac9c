// POST /chat/message and /chat/message/stream. The turn goes on when the browser leaves.

import type { Database } from '../../database/connection.ts'
import { addPresentationSources } from '../../database/sources.ts'
import { Problem } from '../../domain/problem.ts'
import { hasText } from '../../presentations/read-brief.ts'
import type { StartChatTurn } from '../../presentations/slides/chat-turns.ts'
import { isObject } from '../../presenton/deck-responses.ts'
import type { Message as UpstreamMessage } from '../../presenton/messages.ts'
import { redactUpstreamText } from '../../presenton/redact.ts'
import { parseDeckId } from '../deck-ids.ts'
import { deckOf, type Exchange } from '../exchange.ts'
import { errorMessage, type Message } from './frames.ts'
import type { createSendStream, Messages } from './send-stream.ts'
import type { ResolveFiles } from './uploaded-files.ts'

export interface ChatHandlers {
  database: Pick<Database, 'query'>
  startTurn: StartChatTurn
  sendStream: ReturnType<typeof createSendStream>
  resolveFiles: ResolveFiles
}

const maxMessageChars = 8_000
const maxAttachments = 8
/** Frames for a browser that reads slowly; more are dropped, since the turn must go on. */
const maxQueued = 2_000

const invalid = (path: string, message: string) =>
  new Problem('VALIDATION_FAILED', { errors: [{ path, message }] })

function readTurn(body: unknown) {
  const { message, conversation_id: conversation, attachments } = isObject(body) ? body : {}
  if (typeof message !== 'string' || !hasText(message)) throw invalid('/message', 'must be a text')
  if (message.length > maxMessageChars)
    throw invalid('/message', `must have at most ${maxMessageChars} characters`)
  const conversationId = typeof conversation === 'string' ? parseDeckId(conversation) : undefined
  if (conversation !== undefined && conversation !== null && conversationId === undefined)
    throw invalid('/conversation_id', 'must be an id')
  const files = attachments ?? []
  if (!Array.isArray(files)) throw invalid('/attachments', 'must be a list')
  if (files.length > maxAttachments)
    throw invalid('/attachments', `must have at most ${maxAttachments} items`)
  const handles = files.map((file: unknown, index) => {
    const handle = isObject(file) ? file.file_path : undefined
    if (typeof handle !== 'string') throw invalid(`/attachments/${index}`, 'must name a file')
    return handle
  })
  return { message: message.toWellFormed(), conversationId, handles }
}

export function createChatHandlers(options: ChatHandlers) {
  const { database, startTurn, sendStream, resolveFiles } = options

  async function start(exchange: Exchange) {
    const { owner, account, signal, body } = exchange
    const { message, conversationId, handles } = readTurn(body)
    const { presentationId } = deckOf(exchange)
    const own = { userId: owner, id: presentationId }
    const turn = { own, account, message, conversationId, signal }
    if (handles.length === 0) return startTurn({ ...turn, attachments: undefined })
    const { sources, paths } = await resolveFiles({ owner, account, handles, signal })
    const messages = await startTurn({ ...turn, attachments: paths })
    await addPresentationSources(database, { presentationId, sourceIds: sources }).catch(
      // The turn has begun, and must be read to its end.
      (error: unknown) => exchange.request.log.warn({ err: error }, 'sources were not listed'),
    )
    return messages
  }

  return {
    async chatStream(exchange: Exchange) {
      return sendStream(exchange, async () => drain(await start(exchange)))
    },

    async chatMessage(exchange: Exchange) {
      for await (const message of drain(await start(exchange))) {
        if (message?.type === 'complete') return message.chat
        if (message?.type === 'error')
          throw new Problem('UPSTREAM_ERROR', { detail: String(message.detail) })
      }
      throw new Problem('UPSTREAM_ERROR')
    },
  }
}

/** The messages of a turn. The turn goes to its end even if no one reads them. */
function drain(batches: AsyncGenerator<UpstreamMessage[], void>): Messages {
  const queue: Message[] = []
  let isDone = false
  let wake: () => void = () => undefined
  const push = (message: Message) => {
    if (queue.length < maxQueued) queue.push(message)
    wake()
  }
  void (async () => {
    let complete: Message | undefined
    try {
      for await (const batch of batches)
        for (const { type, value } of batch) {
          const message = { ...value, type }
          // The interface may ask for the deck only after it was read.
          if (type === 'complete') complete = message
          else push(message)
        }
      if (complete) queue.push(complete)
    } catch (error) {
      const problem = error instanceof Problem ? error : new Problem('INTERNAL_ERROR')
      queue.push(errorMessage(redactUpstreamText(problem.detail)))
    } finally {
      isDone = true
      wake()
    }
  })()
  return (async function* () {
    for (;;) {
      yield* queue.splice(0)
      if (isDone && queue.length === 0) return
      let timer: NodeJS.Timeout | undefined
      const isIdle = await new Promise<boolean>((resolve) => {
        wake = () => resolve(false)
        timer = setTimeout(() => resolve(true), 15_000)
        if (queue.length > 0 || isDone) resolve(false)
      })
      clearTimeout(timer)
      if (isIdle) yield undefined
    }
  })()
}
