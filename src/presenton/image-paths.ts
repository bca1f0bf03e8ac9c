// Finds the images of upstream that slides name: as a value, or within HTML or CSS.

const root = '/app_data/images/'
const origin = String.raw`(?:https?:\/\/[^\s"'<>()/]+)?`
/** In markup and styles. A path in running text is mentioned, not shown. */
const unquoted = new RegExp(String.raw`["'(=]\s*${origin}(${root}[^\s"'<>()\\?#]+)`, 'g')
/** Between quotes a name may hold spaces and brackets, as upstream does not encode its names. */
const quoted = new RegExp(String.raw`(["'])\s*${origin}(${root}(?:(?!\1)[^<>\\?#])+)`, 'g')
const imageSets = /\bsrcset\s*=\s*(?:"([^"]*)"|'([^']*)')/gi
const wholeValue = new RegExp(String.raw`^${origin}(${root}[^"'<>\\?#]+)(?:[?#].*)?$`, 's')
// Postgres indexes no longer keys, and upstream names no file so long.
const maxPathBytes = 1024

/** The decoded paths of all images that are named anywhere in a value. */
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
  const markup = withoutEntities(text)
  const sets = [...markup.matchAll(imageSets)].flatMap(([, a, b]) => (a ?? b ?? '').split(','))
  return [
    wholeValue.exec(text.trim())?.[1],
    ...sets.map((one) => wholeValue.exec(one.trim().split(/\s/)[0] ?? '')?.[1]),
    ...[...markup.matchAll(unquoted)].map(([, path]) => path),
    ...[...markup.matchAll(quoted)].map(([, , path]) => path?.trim()),
  ]
    .flatMap((path) => (path === undefined ? [] : [path, decoded(path)]))
    .filter(isPath)
}

const entities: Record<string, string> = { amp: '&', quot: '"', apos: "'", '#39': "'", '#34': '"' }

/** Markup with the characters that its entities stand for, as far as names and quotes need it. */
function withoutEntities(markup: string): string {
  return markup.replace(/&(amp|quot|apos|#39|#34);/g, (_, name: string) => entities[name] ?? '')
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    return path
  }
}

const isPath = (path: string) =>
  Buffer.byteLength(path) <= maxPathBytes && path.isWellFormed() && !/\p{Cc}/u.test(path)
