/**
 * The chat that works on a deck with tools. The stand-in's model edits the slide that the message
 * names; a message with `tool:NAME {arguments}` uses those tools instead, as in the recorded
 * traffic. What a tool has changed stays, also if the turn fails after it.
 */

import { randomUUID } from 'node:crypto'
import { editSlide } from '../content/edits.ts'
import { type Deck, type Slide, timestamp } from '../deck.ts'
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
import { findDeck } from './find-deck.ts'
import { idError, missingField, notAString, readObject } from './validation.ts'

const isAvailable: Route['isAvailable'] = ({ hasChat }) => hasChat
const path = '/api/v1/ppt/chat'

export const chatRoutes: readonly Route[] = [
  { method: 'POST', path: `${path}/message`, operation: 'chat', isAvailable, handle: sendMessage },
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

async function sendMessage(state: StandInState, exchange: Exchange): Promise<Reply> {
  const body = await readObject(exchange)
  if ('errors' in body) return validationFailed(body.errors)
  const { presentation_id: id, message, conversation_id: given } = body.value
  const errors = fieldErrors(state, body.value)
  if (errors.length > 0) return validationFailed(errors)
  const found = findDeck(state, exchange, id, ['body', 'presentation_id'])
  if ('reply' in found) return found.reply
  const { deck } = found
  state.spendCounter.countEdit()
  await state.gates.pass('chat:work')
  await pause(state.pace.prepareMs)
  const tools = toolsOf(String(message))
  for (const tool of tools) useTool(deck, tool)
  const conversationId = String(given ?? randomUUID())
  const response = `Done: ${tools.map(({ name }) => name).join(', ') || 'nothing to change'}.`
  state.conversations.set(conversationId, {
    deckId: deck.id,
    preview: response,
    updatedAt: timestamp(),
  })
  const tool_calls = tools.map(({ name }) => name)
  return json({ conversation_id: conversationId, response, tool_calls })
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

type Tool = { name: string; index: number; text: string; theme: unknown }

/** The tools that the message names, else an edit of the slide that it is about. */
function toolsOf(message: string): Tool[] {
  const selected = Number(/zero-based index (\d+)/.exec(message)?.[1] ?? 0)
  const text = message.split('User message:').at(-1)?.trim() ?? message
  const named = [...text.matchAll(/tool:(\w+)(?:\s+(\{.*?\})(?=\s|$))?/g)]
  if (named.length === 0) return [{ name: 'updateSlide', index: selected, text, theme: null }]
  return named
    .filter(([, name]) => name !== 'none')
    .map(([, name = '', json = '{}']) => ({
      name,
      index: selected,
      text: 'Changed by a tool',
      theme: null,
      ...(JSON.parse(json) as Partial<Tool>),
    }))
}

function useTool(deck: Deck, { name, index, text, theme }: Tool): void {
  const slide = deck.slides[index]
  if (name === 'updateSlide' && slide) Object.assign(slide, editSlide(slide, text))
  if (name === 'setPresentationTheme') deck.theme = theme
  if (name === 'deleteSlide' && slide) setSlides(deck, deck.slides.toSpliced(index, 1))
  if (name === 'addNewSlide' && slide) {
    const added: Slide = { ...structuredClone(slide), id: randomUUID() }
    setSlides(deck, deck.slides.toSpliced(index + 1, 0, added))
  }
}

function setSlides(deck: Deck, slides: Slide[]): void {
  deck.slides = slides.map((slide, index) => Object.assign(slide, { index }))
  deck.n_slides = slides.length
}

function listConversations({ conversations }: StandInState, { url }: Exchange): Reply {
  const id = url.searchParams.get('presentation_id')
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

/** Succeeds as well if there is no such conversation. */
function deleteConversation(state: StandInState, { url }: Exchange): Reply {
  const names = ['presentation_id', 'conversation_id']
  const absent = names.filter((name) => !url.searchParams.has(name))
  if (absent.length > 0)
    return errorDetail(422, `Field required: ${absent.map((name) => `query ${name}`).join(', ')}`)
  state.conversations.delete(url.searchParams.get('conversation_id') ?? '')
  return noContent()
}
