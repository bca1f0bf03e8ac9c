// Where a visitor of the maker may be sent: to a deck, to the list of decks, or to a new one.
// Nothing else of a URL survives, least of all what would start a run.

import { parseDeckId } from './deck-ids.ts'

/** A path of the maker in its plain form; undefined for any other URL. */
export function parseReturnTo(given: string, makerUrl: string): string | undefined {
  if (!given.startsWith('/') && !given.startsWith(`${makerUrl}/`)) return undefined
  if (!URL.canParse(given, makerUrl)) return undefined
  const { origin, pathname, searchParams, hash } = new URL(given, makerUrl)
  if (origin !== new URL(makerUrl).origin || hash !== '') return undefined
  const names = [...searchParams.keys()]
  if (pathname === '/presentation') {
    const id = parseDeckId(searchParams.get('id') ?? '')
    return names.length === 1 && id !== undefined ? `/presentation?id=${id}` : undefined
  }
  if (names.length > 0) return undefined
  if (pathname === '/dashboard' || pathname === '/upload') return pathname
  const id = parseDeckId(/^\/open\/([^/]+)$/.exec(pathname)?.[1] ?? '')
  return id === undefined ? undefined : `/open/${id}`
}

/** The same for any page that a visitor asked for: the nearest one that can be returned to. */
export function returnToOf(url: string, makerUrl: string): string {
  if (!URL.canParse(url, makerUrl)) return '/dashboard'
  const { pathname, searchParams } = new URL(url, makerUrl)
  const id = searchParams.get('id')
  const asked =
    pathname === '/presentation' && id !== null
      ? `${pathname}?id=${encodeURIComponent(id)}`
      : pathname
  return parseReturnTo(asked, makerUrl) ?? '/dashboard'
}
