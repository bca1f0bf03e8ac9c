/**
 * The chat that works on a deck with tools. The stand-in's model edits the slide that the message
 * names; a message with `tool:NAME {arguments}` uses those tools instead, as in the recorded
 * traffic. What a tool has changed stays, also if the turn fails after it.
 */

import { randomUUID } from 'node:crypto'
import { toolsOf, useTool } from '../content/chat-tools.ts'
import { type Deck, timestamp } from '../deck.ts'
import { frame } from '../event-stream.ts'
import type { Frame } from '../faults/fault.ts'
import { pause } from '../pace.ts'
import {
  errorDetail,
  type FieldError,
  json,
  noContent,
  type Reply,
  validationFailed,
} from '../reply.ts'
import type { Exchange, Route, StandInState } from '../state.ts'
import { findDeck, isOwn } from './find-deck.ts'
import { sendStream } from './send-stream.ts'
import { refusalOfPaths } from './uploads.ts'
import { idError, missingField, notAString, readObject } from './validation.ts'

const isAvailable: Route['isAvailable'] = ({ hasChat }) => hasChat
const path = '/api/v1/ppt/chat'

export const chatRoutes: readonly Route[] = [
  { method: 'POST', path: `${path}/message`, operation: 'chat', isAvailable, handle: sendMessage },
  {
    method: 'POST',
    path: `${path}/message/stream`,
    operation: 'chat-stream',
    isAvailable,
    handle: streamMessage,
  },
  {
    method: 'GET',
    path: `${path}/history`,
    operation: 'conversations',
    isAvailable,
    handle: readHistory,
  },
  {
    method: 'GET',
    path: `${path}/conversations`,
    operation: 'conversations',
    isAvailable,
    handle: listConversations,
  },
  {
    method: 'DELETE',
    path: `${path}/conversation`,
    operation: 'conversations',
    isAvailable,
    handle: deleteConversation,
  },
]

const members = ['presentation_id', 'message', 'conversation_id', 'attachments']
const maxMessageChars = 8000

type Turn = { deck: Deck; message: string; conversationId: string }

/** Checks the request. From here on the turn is paid for. */
async function readTurn(state: StandInState, exchange: Exchange): Promise<Turn | { reply: Reply }> {
  const body = await readObject(exchange)
  if ('errors' in body) return { reply: validationFailed(body.errors) }
  const { presentation_id: id, message, conversation_id: given } = body.value
  const errors = fieldErrors(state, body.value)
  if (errors.length > 0) return { reply: validationFailed(errors) }
  const found = findDeck(state, exchange, id, ['body', 'presentation_id'])
  if ('reply' in found) return found
  const paths = attachmentsOf(body.value).map(({ file_path: file }) => String(file))
  const refusal = refusalOfPaths(state, exchange, paths)
  if (refusal) return { reply: refusal }
  state.spendCounter.countEdit()
  return {
    deck: found.deck,
    message: String(message),
    conversationId: String(given ?? randomUUID()),
  }
}

/** Saves the turn as upstream does: at its end, without the lines of context. */
function saveTurn(
  { conversations }: StandInState,
  { deck, message, conversationId }: Turn,
  tools: readonly { name: string }[],
) {
  const tool_calls = tools.map(({ name }) => name)
  const response = `Done: ${tool_calls.join(', ') || 'nothing to change'}.`
  const [asked, answered] = [timestamp(), timestamp()]
  conversations.set(conversationId, {
    deckId: deck.id,
    preview: response,
    updatedAt: answered,
    messages: [
      ...(conversations.get(conversationId)?.messages ?? []),
      { role: 'user', content: textOf(message), created_at: asked },
      { role: 'assistant', content: response, created_at: answered },
    ],
  })
  return { conversation_id: conversationId, response, tool_calls }
}

const textOf = (message: string) => message.split('User message:').at(-1)?.trim() ?? message

async function sendMessage(state: StandInState, exchange: Exchange): Promise<Reply> {
  const turn = await readTurn(state, exchange)
  if ('reply' in turn) return turn.reply
  await state.gates.pass('chat:work')
  await pause(state.pace.prepareMs)
  const tools = toolsOf(turn.message)
  for (const tool of tools) useTool(turn.deck, tool)
  return json(saveTurn(state, turn, tools))
}

async function streamMessage(state: StandInState, exchange: Exchange): Promise<Reply | undefined> {
  const turn = await readTurn(state, exchange)
  return 'reply' in turn
    ? turn.reply
    : sendStream(state, exchange, turnFrames(state, exchange, turn))
}

/** As recorded. A client that leaves ends the turn: no further tool runs, and nothing is saved. */
async function* turnFrames(
  state: StandInState,
  { signal, passGate }: Exchange,
  turn: Turn,
): AsyncGenerator<Frame> {
  yield { kind: 'head', text: frame({ type: 'status', status: 'Reading deck context' }) }
  await passGate('chat:work')
  await pause(state.pace.prepareMs, signal)
  const tools = toolsOf(turn.message)
  const trace = (value: object) => frame({ type: 'trace', trace: value })
  if (tools.length > 0) {
    const names = tools.map(({ name }) => name)
    const message = `Using tools: ${names.join(', ')}`
    yield { kind: 'part', text: trace({ kind: 'tool_plan', round: 1, tools: names, message }) }
  }
  for (const tool of tools) {
    const call = { kind: 'tool_call', round: 1, tool: tool.name }
    yield { kind: 'part', text: trace({ ...call, status: 'start', message: tool.name }) }
    useTool(turn.deck, tool)
    yield { kind: 'part', text: trace({ ...call, status: 'success', message: tool.name }) }
    await passGate('chat:tool')
  }
  const response = `Done: ${tools.map(({ name }) => name).join(', ') || 'nothing to change'}.`
  for (const chunk of response.match(/.{1,24}/g) ?? [])
    yield { kind: 'tail', text: frame({ type: 'chunk', chunk }) }
  yield { kind: 'tail', text: frame({ type: 'status', status: 'Saving chat' }) }
  yield { kind: 'complete', text: frame({ type: 'complete', chat: saveTurn(state, turn, tools) }) }
}

function attachmentsOf({ attachments }: Record<string, unknown>): Record<string, unknown>[] {
  return Array.isArray(attachments) ? attachments : []
}

function fieldErrors(state: StandInState, body: Record<string, unknown>): FieldError[] {
  const { message, conversation_id: conversation } = body
  const unknown = Object.keys(body).filter((name) => !members.includes(name))
  const absent = ['presentation_id', 'message'].filter((field) => body[field] === undefined)
  const badId =
    conversation === undefined || conversation === null
      ? undefined
      : idError(conversation, ['body', 'conversation_id'], state.features())
  return [
    ...unknown.map((name) => ({
      type: 'extra_forbidden',
      loc: ['body', name],
      msg: 'Extra inputs are not permitted',
      input: body[name],
    })),
    ...absent.map((field) => missingField(field)),
    ...attachmentsOf(body).flatMap((attachment, index) =>
      ['name', 'file_path']
        .filter((field) => !attachment[field])
        .map((field) => missingField('attachments', index, field)),
    ),
    ...(message === undefined || typeof message === 'string'
      ? []
      : [notAString(['body', 'message'], message)]),
    ...(badId ? [badId] : []),
    ...(typeof message === 'string' && (message === '' || message.length > maxMessageChars)
      ? [lengthError(message)]
      : []),
  ]
}

function lengthError(message: string): FieldError {
  const isEmpty = message === ''
  return {
    type: isEmpty ? 'string_too_short' : 'string_too_long',
    loc: ['body', 'message'],
    msg: isEmpty
      ? 'String should have at least 1 character'
      : `String should have at most ${maxMessageChars} characters`,
    input: message,
  }
}

function isOwnDeck(state: StandInState, exchange: Exchange, id: string | null): boolean {
  const deck = state.decks.get(id ?? '')
  return deck !== undefined && isOwn(deck, exchange, state)
}

function listConversations(state: StandInState, exchange: Exchange): Reply {
  const { conversations } = state
  const id = exchange.url.searchParams.get('presentation_id')
  if (!isOwnDeck(state, exchange, id)) return json([])
  return json(
    [...conversations]
      .filter(([, { deckId }]) => deckId === id)
      .map(([conversation_id, { preview, updatedAt }]) => ({
        conversation_id,
        updated_at: updatedAt,
        last_message_preview: preview,
      })),
  )
}

function readHistory(state: StandInState, exchange: Exchange): Reply {
  const { conversations } = state
  const { url } = exchange
  const presentation_id = url.searchParams.get('presentation_id')
  const conversation_id = url.searchParams.get('conversation_id')
  const found = conversations.get(conversation_id ?? '')
  const isShown = found?.deckId === presentation_id && isOwnDeck(state, exchange, presentation_id)
  const messages = isShown ? found?.messages : []
  return json({ presentation_id, conversation_id, messages })
}

/** Succeeds as well if there is no such conversation. */
function deleteConversation(state: StandInState, exchange: Exchange): Reply {
  const { url } = exchange
  const names = ['presentation_id', 'conversation_id']
  const absent = names.filter((name) => !url.searchParams.has(name))
  if (absent.length > 0)
    return errorDetail(422, `Field required: ${absent.map((name) => `query ${name}`).join(', ')}`)
  if (isOwnDeck(state, exchange, url.searchParams.get('presentation_id')))
    state.conversations.delete(url.searchParams.get('conversation_id') ?? '')
  return noContent()
}
