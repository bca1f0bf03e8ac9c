// The page of a deck. `stream=true` in its address makes the interface open the slides stream. Only
// the request that its "Regenerate" sends may lead to another run: a link, a bookmark and a
// restored tab are documents, and are led to the page without it.

import type { FastifyRequest } from 'fastify'
import type { Queryable } from '../../database/connection.ts'
import { deckOf, type Exchange } from '../exchange.ts'
import { saveGrant } from '../statements/grants.ts'
import { isMakingSlides } from './slides-stream.ts'
import { type DeckState, findDeckState } from './statements.ts'

/** How Next.js asks for the page in the background, because a person wants to see it. */
const isInterfaceRequest = ({ headers }: FastifyRequest) =>
  headers.rsc === '1' &&
  headers['next-router-prefetch'] === undefined &&
  headers['next-router-segment-prefetch'] === undefined &&
  headers['sec-fetch-site'] === 'same-origin'

const isPrefetch = ({ headers }: FastifyRequest) =>
  headers['next-router-prefetch'] !== undefined ||
  headers['next-router-segment-prefetch'] !== undefined

/** The deck is whole, and its outlines are known. */
const mayRegenerate = ({ status, outlines }: DeckState) =>
  status === 'completed' && outlines !== null

/**
 * Where the browser has to go instead; undefined: upstream's page is sent. It also grants a
 * regeneration.
 */
export async function checkPresentationPage(
  database: Queryable,
  exchange: Exchange,
): Promise<string | undefined> {
  const { request, session, owner } = exchange
  const { presentationId } = deckOf(exchange)
  const state = await findDeckState(database, { userId: owner, id: presentationId })
  if (!state || isPrefetch(request)) return undefined
  const url = new URL(request.url, 'http://maker')
  const streams = url.searchParams.get('stream') === 'true'
  if (isMakingSlides(state)) {
    if (streams) return undefined
    // Without the stream it shows an empty deck, whose saves the run would replace.
    url.searchParams.set('stream', 'true')
    return `${url.pathname}${url.search}`
  }
  if (!streams) return undefined
  if (isInterfaceRequest(request)) {
    if (mayRegenerate(state))
      await saveGrant(database, { session: session.hash, presentationId, run: state.run })
    return undefined
  }
  url.searchParams.delete('stream')
  return `${url.pathname}${url.search}`
}
