/**
 * POST /presentation/create: adds a row at every call and uses no model. It is not idempotent.
 */

import { createDeck } from '../deck.ts'
import {
  errorDetail,
  type FieldError,
  json,
  type Reply,
  rawJson,
  validationFailed,
} from '../reply.ts'
import { createdRow } from '../rows.ts'
import type { Features } from '../shape.ts'
import type { Exchange, Route, StandInState } from '../state.ts'
import { ownerOf } from './find-deck.ts'
import { refusalOfPaths } from './uploads.ts'
import { missingField, notAString, notOneOf, readObject } from './validation.ts'

export const createRoutes: readonly Route[] = [
  { method: 'POST', path: '/api/v1/ppt/presentation/create', operation: 'create', handle: create },
]

const tones = ['default', 'casual', 'professional', 'funny', 'educational', 'sales_pitch']
const verbosities = ['concise', 'standard', 'text-heavy']

async function create(state: StandInState, exchange: Exchange): Promise<Reply> {
  const features = state.features()
  const body = await readObject(exchange)
  if ('errors' in body) return validationFailed(body.errors)
  const fields = body.value
  const errors = fieldErrorsOf(fields, features)
  if (errors.length > 0) return validationFailed(errors)
  const limitError = limitErrorFor(fields, features)
  if (limitError) return limitError
  const paths = Array.isArray(fields.file_paths) ? fields.file_paths.map(String) : []
  const pathError = refusalOfPaths(state, exchange, paths)
  if (pathError) return pathError

  const deck = createDeck({
    content: fields.content as string,
    n_slides: (fields.n_slides as number | null | undefined) ?? 0,
    language: (fields.language as string | null | undefined) ?? '',
    file_paths: (fields.file_paths as string[] | undefined) ?? null,
    instructions: (fields.instructions as string | undefined) ?? null,
    tone: (fields.tone as string | undefined) ?? 'default',
    verbosity: (fields.verbosity as string | undefined) ?? 'standard',
    include_table_of_contents: fields.include_table_of_contents === true,
    include_title_slide: fields.include_title_slide !== false,
    web_search: fields.web_search === true,
    theme: fields.theme ?? null,
  })
  const recorded = state.replay?.applyRecordedDeck(deck)
  deck.owner = ownerOf(exchange, state)
  state.decks.set(deck.id, deck)
  exchange.journalEntry.deckId = deck.id
  return recorded ? rawJson(recorded) : json(createdRow(deck, features))
}

function fieldErrorsOf(fields: Record<string, unknown>, features: Features): FieldError[] {
  const errors: FieldError[] = []
  const required =
    features.hasAsyncTasks || features.auth !== 'none'
      ? ['content']
      : ['content', 'n_slides', 'language']
  for (const field of required) if (fields[field] === undefined) errors.push(missingField(field))
  if (fields.content !== undefined && typeof fields.content !== 'string')
    errors.push(notAString(['body', 'content'], fields.content))
  if (fields.n_slides != null && !Number.isInteger(fields.n_slides)) {
    const msg = 'Input should be a valid integer, unable to parse string as an integer'
    errors.push({ type: 'int_parsing', loc: ['body', 'n_slides'], msg, input: fields.n_slides })
  }
  if (fields.tone !== undefined && !tones.includes(String(fields.tone)))
    errors.push(notOneOf('enum', 'tone', tones, fields.tone))
  if (fields.verbosity !== undefined && !verbosities.includes(String(fields.verbosity))) {
    errors.push(notOneOf('enum', 'verbosity', verbosities, fields.verbosity))
  }
  return errors
}

/** A accepts any number of slides, T and B 1 to 50. */
function limitErrorFor(
  { n_slides, include_table_of_contents }: Record<string, unknown>,
  features: Features,
): Reply | undefined {
  const count = n_slides as number | null | undefined
  if (features.hasSlideAssets && count != null && count < 1)
    return errorDetail(400, 'Number of slides must be greater than 0')
  if (features.hasSlideAssets && count != null && count > 50)
    return errorDetail(400, 'Number of slides cannot be greater than 50')
  if (include_table_of_contents === true && count != null && count < 3) {
    return errorDetail(
      400,
      'Number of slides cannot be less than 3 if table of contents is included',
    )
  }
  return undefined
}
