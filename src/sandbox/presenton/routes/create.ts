/**
 * POST /presentation/create: a new row for every call, no model, not idempotent.
 */

import { newDeck } from '../deck.ts'
import { detail, type Flaw, json, type Reply, rawJson, unprocessable } from '../reply.ts'
import { createdRow } from '../rows.ts'
import type { Features } from '../shape.ts'
import type { Exchange, Route, World } from '../world.ts'
import { missing, notAString, notOneOf, readObject } from './body.ts'

export const createRoutes: readonly Route[] = [
  { method: 'POST', path: '/api/v1/ppt/presentation/create', operation: 'create', act: create },
]

const tones = ['default', 'casual', 'professional', 'funny', 'educational', 'sales_pitch']
const verbosities = ['concise', 'standard', 'text-heavy']

async function create(world: World, exchange: Exchange): Promise<Reply> {
  const features = world.features()
  const body = await readObject(exchange)
  if ('flaws' in body) return unprocessable(body.flaws)
  const wish = body.value
  const flaws = flawsOf(wish, features)
  if (flaws.length > 0) return unprocessable(flaws)
  const refusal = refuse(wish, features)
  if (refusal) return refusal

  const deck = newDeck({
    content: wish.content as string,
    n_slides: (wish.n_slides as number | null | undefined) ?? 0,
    language: (wish.language as string | null | undefined) ?? '',
    file_paths: (wish.file_paths as string[] | undefined) ?? null,
    instructions: (wish.instructions as string | undefined) ?? null,
    tone: (wish.tone as string | undefined) ?? 'default',
    verbosity: (wish.verbosity as string | undefined) ?? 'standard',
    include_table_of_contents: wish.include_table_of_contents === true,
    include_title_slide: wish.include_title_slide !== false,
    web_search: wish.web_search === true,
    theme: wish.theme ?? null,
  })
  const recorded = world.replay?.adopt(deck)
  world.decks.set(deck.id, deck)
  exchange.call.deckId = deck.id
  return recorded ? rawJson(recorded) : json(createdRow(deck, features))
}

function flawsOf(wish: Record<string, unknown>, features: Features): Flaw[] {
  const flaws: Flaw[] = []
  const required =
    features.asyncTasks || features.auth !== 'none'
      ? ['content']
      : ['content', 'n_slides', 'language']
  for (const field of required) if (wish[field] === undefined) flaws.push(missing(field))
  if (wish.content !== undefined && typeof wish.content !== 'string')
    flaws.push(notAString(['body', 'content'], wish.content))
  if (wish.n_slides != null && !Number.isInteger(wish.n_slides)) {
    const msg = 'Input should be a valid integer, unable to parse string as an integer'
    flaws.push({ type: 'int_parsing', loc: ['body', 'n_slides'], msg, input: wish.n_slides })
  }
  if (wish.tone !== undefined && !tones.includes(String(wish.tone)))
    flaws.push(notOneOf('enum', 'tone', tones, wish.tone))
  if (wish.verbosity !== undefined && !verbosities.includes(String(wish.verbosity))) {
    flaws.push(notOneOf('enum', 'verbosity', verbosities, wish.verbosity))
  }
  return flaws
}

/** A takes any number of slides; T and B want 1 to 50. */
function refuse(
  { n_slides, include_table_of_contents, file_paths }: Record<string, unknown>,
  features: Features,
): Reply | undefined {
  const count = n_slides as number | null | undefined
  if (features.slideAssets && count != null && count < 1)
    return detail(400, 'Number of slides must be greater than 0')
  if (features.slideAssets && count != null && count > 50)
    return detail(400, 'Number of slides cannot be greater than 50')
  if (include_table_of_contents === true && count != null && count < 3) {
    return detail(400, 'Number of slides cannot be less than 3 if table of contents is included')
  }
  // The stand-in takes no uploads, so every path is outside of B's temp directory.
  if (features.ui && Array.isArray(file_paths) && file_paths.length > 0) {
    return detail(400, 'File path must stay within the temp directory')
  }
  return undefined
}
