// Which pictures of upstream a deck's slides name, wherever in a slide: as a value, or within HTML
// or CSS. Each is recorded once, with the events that name it first, so that whoever reads the
// slides may fetch them.

import { recordImages } from '../database/images.ts'
import type { ExtraStatement } from '../database/run-log.ts'

const root = '/app_data/images/'
/** In markup and styles. What stands in running text is talked about, not shown. */
const within = /["'(=]\s*(?:https?:\/\/[^\s"'<>()/]+)?(\/app_data\/images\/[^\s"'<>()\\?#]+)/g
// An index of the database holds no longer ones, and no file of upstream is named so.
const maxBytes = 1024

export type ImageRecorder = ReturnType<typeof createImageRecorder>

export function createImageRecorder(userId: string) {
  const known = new Set<string>()
  return {
    /**
     * What to commit together with an event that shows this; nothing when all its pictures were
     * recorded before.
     */
    of(shown: unknown): ExtraStatement[] {
      const fresh = [...findImagePaths(shown)].filter((path) => !known.has(path))
      for (const path of fresh) known.add(path)
      return fresh.length === 0 ? [] : [recordImages(userId, fresh)]
    },
  }
}

/** The paths, unencoded, of all pictures that are named anywhere in a value. */
export function findImagePaths(shown: unknown, found = new Set<string>()): Set<string> {
  if (typeof shown === 'string') {
    if (shown.includes(root)) for (const path of pathsIn(shown)) found.add(path)
  } else if (Array.isArray(shown)) {
    for (const part of shown) findImagePaths(part, found)
  } else if (typeof shown === 'object' && shown !== null) {
    for (const part of Object.values(shown)) findImagePaths(part, found)
  }
  return found
}

function pathsIn(text: string): string[] {
  // A whole value may hold blanks and brackets: upstream does not encode the names of its files.
  const [, whole] =
    /^(?:https?:\/\/[^\s"'<>()/]+)?(\/app_data\/images\/[^"'<>\\?#]+)(?:[?#].*)?$/s.exec(text) ?? []
  const inside = [...text.matchAll(within)].map(([, path]) => path)
  return [whole, ...inside]
    .flatMap((path) => (path === undefined ? [] : [path, decoded(path)]))
    .filter(isPath)
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    return path
  }
}

const isPath = (path: string) =>
  Buffer.byteLength(path) <= maxBytes && path.isWellFormed() && !/\p{Cc}/u.test(path)
