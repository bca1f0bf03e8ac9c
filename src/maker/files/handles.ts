// What the interface gets where upstream returns paths of its disk: texts that look like paths,
// since it shows what follows the last slash. A handle names a source of its user; no other user
// can use it.

import type { SourceRow } from '../../sources/statements.ts'

export interface Handle {
  sourceId: string
  /** Leads to the text that was read out of the document. */
  isText: boolean
  name: string
}

type Named = Pick<SourceRow, 'id' | 'name'>

const textSuffix = '.txt'

export const handleOf = ({ id, name }: Named): string => `/documents/${id}/${name}`

/** What stands in place of the text of a document. */
export const textHandleOf = ({ id, name }: Named): string =>
  `/documents/${id}/text/${name}${textSuffix}`

const pattern = /^\/documents\/([\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12})\/(text\/)?([^/\\]+)$/

/** Undefined for a text of any other form: a path of upstream, an id in another spelling. */
export function parseHandle(text: string): Handle | undefined {
  const [, sourceId, folder, name] = pattern.exec(text) ?? []
  if (sourceId === undefined || name === undefined) return undefined
  const isText = folder !== undefined
  if (!isText) return { sourceId, isText, name }
  return name.endsWith(textSuffix)
    ? { sourceId, isText, name: name.slice(0, -textSuffix.length) }
    : undefined
}
