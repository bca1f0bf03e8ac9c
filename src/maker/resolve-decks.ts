// Finds the ids of decks where the table says they are, and replaces each by that of the present
// deck. All ids of a request must be of one presentation of this user: a foreign one, an unknown
// one and a text that is not an id look the same.

import type { FastifyRequest } from 'fastify'
import { Problem } from '../domain/problem.ts'
import { parseDeckId } from './deck-ids.ts'
import type { FindOwnDeck, OwnDeck } from './own-decks.ts'
import type { IdPlace, Row } from './table/row.ts'

interface Found {
  value: unknown
  replace: (id: string) => void
}

type Container = Record<string, unknown>

const isContainer = (value: unknown): value is Container =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/**
 * Undefined for a row without ids.
 *
 * @throws Problem NOT_FOUND
 */
export async function resolveDecks(
  { ids = [] }: Pick<Row, 'ids'>,
  request: FastifyRequest,
  find: (deckId: string) => ReturnType<FindOwnDeck>,
): Promise<OwnDeck | undefined> {
  const places = ids.flatMap((place) => findPlaces(request, place))
  if (ids.length === 0) return undefined
  const given = new Set(places.map(({ value }) => canonical(value)))
  const decks = await Promise.all([...given].map(find))
  const [deck] = decks
  if (!deck || decks.some((other) => other?.presentationId !== deck.presentationId))
    throw new Problem('NOT_FOUND')
  for (const { replace } of places) replace(deck.deckId)
  return decks.find((other) => other?.isEarlier) ?? deck
}

function canonical(value: unknown): string {
  const id = typeof value === 'string' ? parseDeckId(value) : undefined
  if (id === undefined) throw new Problem('NOT_FOUND')
  return id
}

/** A place in a list may be in none of its entries; any other must be there. */
function findPlaces(request: FastifyRequest, place: IdPlace): Found[] {
  const [part = '', ...steps] = place.split('.')
  const root = { path: request.params, query: request.query, body: request.body }[part]
  return follow(root, steps)
}

function follow(container: unknown, [step = '', ...rest]: string[]): Found[] {
  if (!isContainer(container)) throw new Problem('NOT_FOUND')
  if (step.endsWith('[]')) {
    const entries = container[step.slice(0, -2)]
    if (entries === undefined || entries === null) return []
    if (!Array.isArray(entries)) throw new Problem('NOT_FOUND')
    return entries.flatMap((entry) =>
      isContainer(entry) && rest.length === 1 && entry[rest[0] ?? ''] === undefined
        ? []
        : follow(entry, rest),
    )
  }
  if (rest.length > 0) return follow(container[step], rest)
  return [
    {
      value: container[step],
      replace: (id) => {
        container[step] = id
      },
    },
  ]
}
