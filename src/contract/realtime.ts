// Real-time messages as types, as an OpenAPI schema and as JSON, all derived from
// realtime-messages.ts.

import Type, { type Static, type TObject, type TSchema } from 'typebox'
import { time } from './member-schemas.ts'
import { problems } from './problem.ts'
import {
  clientMessages,
  type MessageDefinition,
  type MessageErrorCode,
  type progressSchema,
  serverMessages,
} from './realtime-messages.ts'

type Server = typeof serverMessages

export type ServerMessageType = keyof Server
export type ClientMessageType = keyof typeof clientMessages

/** The members of a message beside `type`, `request_id` and `timestamp`. */
export type MessageMembers<T extends ServerMessageType> = Static<TObject<Server[T]['members']>>

/** A message as a client gets it. Narrow it by `type`. */
export type ServerMessage = {
  [T in ServerMessageType]: { type: T; request_id?: string; timestamp: string } & MessageMembers<T>
}[ServerMessageType]

/** The `data` of a `job_progress` message. */
export type Progress = Static<typeof progressSchema>

export const maxRequestIdChars = 64

const requestId = Type.Optional(
  Type.String({ maxLength: maxRequestIdChars, description: 'That of the client message.' }),
)

function union(definitions: Record<string, MessageDefinition>, common: Record<string, TSchema>) {
  return Object.entries(definitions).map(([type, { description, members }]) =>
    Type.Object(
      { type: Type.Literal(type), ...members, request_id: requestId, ...common },
      { title: `${type} message`, description },
    ),
  )
}

/** What the gateway sends over WebSocket and SSE, for OpenAPI. */
export const serverMessageSchema = Type.Unsafe<ServerMessage>({
  $id: 'RealtimeMessage',
  title: 'RealtimeMessage',
  description: 'One message of a real-time connection. Ignore types that you do not know.',
  anyOf: union(serverMessages, { timestamp: time() }),
})

/** What a client may send over a WebSocket, for OpenAPI. */
export const clientMessageSchema = Type.Unsafe<object>({
  $id: 'RealtimeClientMessage',
  title: 'RealtimeClientMessage',
  description: 'One message of a client on a WebSocket.',
  anyOf: union(clientMessages, {}),
})

export interface MessageContext {
  requestId?: string | undefined
  /** Default: now. */
  timestamp?: Date
}

/** The message as the bytes of its JSON, which many connections may share. */
export function encodeMessage<T extends ServerMessageType>(
  type: T,
  members: MessageMembers<T>,
  { requestId, timestamp = new Date() }: MessageContext = {},
): Buffer {
  return Buffer.from(
    JSON.stringify({
      type,
      ...members,
      // Left out if there is none, as JSON does.
      request_id: requestId,
      timestamp: timestamp.toISOString(),
    }),
  )
}

/** The fixed sentence of an error code. */
export function errorSentence(code: MessageErrorCode): string {
  if (code === 'TOO_MANY_SUBSCRIPTIONS') return 'This connection has too many subscriptions.'
  return problems[code].detail
}

export function encodeError(code: MessageErrorCode, requestId?: string): Buffer {
  const members = { error_code: code, message: errorSentence(code), details: {} }
  return encodeMessage('error', members, { requestId })
}
