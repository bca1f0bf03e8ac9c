// What a row of the table says.

export type RowClass = 'asset' | 'page' | 'shared' | 'local' | 'own' | 'deck' | 'paid' | 'file'

/** A place in the path, the query, or the JSON of the body. */
export type IdPlace = `path.${string}` | `query.${string}` | `body.${string}`

export interface Row {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** As Fastify writes it. */
  path: string
  class: RowClass
  /** The name of its handler; rows that only go upstream have none. */
  handler?: string
  /**
   * The name of a handler that is tried first, with a session and a deck that this process remembers.
   * Undefined from it: something no longer holds, and nothing was done.
   */
  knownHandler?: string
  ids?: readonly IdPlace[]
  /** What the body is. JSON may come as text/plain. Without it no body is taken. */
  body?: 'json' | 'multipart'
  /** What these parameters of the query must match. */
  query?: Readonly<Record<string, RegExp>>
  /** Its response is so small, and comes so often, that to compress it costs more than it saves. */
  isUncompressed?: true
  /** A GET that changes or spends, so it must come from our own pages. */
  isUnsafe?: true
}

/** Where FastAPI's routes of decks are. */
export const ppt = '/api/v1/ppt'
