// The cursor of a list: the last row of the previous page, as an opaque text.

import { Problem } from '../domain/problem.ts'

export interface Cursor {
  createdAt: Date
  id: string
}

export function encodeCursor({ createdAt, id }: Cursor): string {
  return Buffer.from(`${createdAt.toISOString()} ${id}`).toString('base64url')
}

/** @throws Problem VALIDATION_FAILED for any text that `encodeCursor` does not return */
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
