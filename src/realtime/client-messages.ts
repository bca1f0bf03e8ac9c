// Messages of clients: one JSON object per text frame, of a type that the connection knows.

import { type ClientMessageType, encodeError, maxRequestIdChars } from '../contract/realtime.ts'
import type { clientMessages } from '../contract/realtime-messages.ts'

export interface ClientMessage {
  type: keyof typeof clientMessages
  requestId: string | undefined
  members: Record<string, unknown>
}

/** The message, or the encoded `error` that refuses it. */
export function parseClientMessage(
  text: string,
  types: ReadonlySet<ClientMessageType>,
): ClientMessage | Buffer {
  const value = parseObject(text)
  if (!value) return encodeError('VALIDATION_FAILED')
  const { type, request_id: requestId, ...members } = value
  if (!isRequestId(requestId)) return encodeError('VALIDATION_FAILED')
  const isKnown = typeof type === 'string' && (types as ReadonlySet<string>).has(type)
  if (!isKnown) return encodeError('VALIDATION_FAILED', requestId)
  return { type: type as ClientMessageType, requestId, members }
}

function isRequestId(value: unknown): value is string | undefined {
  if (value === undefined) return true
  // At most two UTF-16 units for each character.
  if (typeof value !== 'string' || value.length > 2 * maxRequestIdChars) return false
  return [...value].length <= maxRequestIdChars
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
    return isObject ? { ...value } : undefined
  } catch {
    return undefined
  }
}
