// The cursor of a notification stream: the last numbers of both channels, and whose they are.

import { createHash } from 'node:crypto'
import type { Position } from './statements/read.ts'

export const maxCursorChars = 128

export function encodeStreamCursor({ own, general }: Position, userId: string): string {
  return Buffer.from(`${own}.${general}.${userTag(userId)}`).toString('base64url')
}

/** Undefined for a text that no stream of this user has sent. */
export function decodeStreamCursor(text: string, userId: string): Position | undefined {
  if (text.length > maxCursorChars) return undefined
  const decoded = Buffer.from(text, 'base64url').toString('latin1')
  const [, own = '', general = ''] = /^(\d{1,15})\.(\d{1,15})\.[\w-]+$/.exec(decoded) ?? []
  const position = { own: Number(own), general: Number(general) }
  return encodeStreamCursor(position, userId) === text ? position : undefined
}

/** Another user's numbers would be valid here, but mean something else. */
function userTag(userId: string): string {
  return createHash('sha256').update(userId).digest('base64url').slice(0, 8)
}
