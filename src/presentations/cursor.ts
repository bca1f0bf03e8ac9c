// The cursor of the list: where the page before ended, as an opaque word.

import { Problem } from '../domain/problem.ts'

export interface Cursor {
  createdAt: Date
  id: string
}

export function encodeCursor({ createdAt, id }: Cursor): string {
  return Buffer.from(`${createdAt.toISOString()} ${id}`).toString('base64url')
}

/** Throws VALIDATION_FAILED for anything that `encodeCursor` would not have made. */
export function decodeCursor(text: string): Cursor {
  const [, time = '', id = ''] =
    /^(\S{24}) ([\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12})$/.exec(decoded(text)) ?? []
  const cursor = { createdAt: new Date(time), id }
  if (Number.isNaN(cursor.createdAt.getTime()) || encodeCursor(cursor) !== text) {
    throw new Problem('VALIDATION_FAILED', {
      errors: [{ path: 'cursor', message: 'is not a cursor of this list' }],
    })
  }
  return cursor
}

function decoded(text: string): string {
  return Buffer.from(text, 'base64url').toString('latin1')
}
