// Whether the name of an exported file can belong to one deck only: it can if it has a UUID that
// does not come from the title, which another deck may share.

import { plainSegmentsBelow } from './plain-path.ts'

const uuid = /[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}/gi

const uuidsIn = (text: string): string[] =>
  (text.match(uuid) ?? []).map((id) => id.replaceAll('-', '').toLowerCase())

/** A path that is no path of a file is judged when the file is opened. */
export function isOwnName(path: string, title: string): boolean {
  return plainSegmentsBelow('/app_data/', path) === undefined || addsOwnId(path, [title])
}

/** Whether the file name has a UUID that is in none of the titles. */
export function addsOwnId(path: string, titles: readonly string[]): boolean {
  const known = new Set(titles.flatMap(uuidsIn))
  return uuidsIn(path.split('/').at(-1) ?? '').some((id) => !known.has(id))
}
