/**
 * POST /presentation/prepare: the model chooses a layout for each outline. It is safe to repeat. A
 * and T receive the layout itself and reply with the whole row. B receives a template's id, replies
 * with the deck's id, and clears `language`.
 */

import { chooseLayouts } from '../content/layouts.ts'
import { templateLayout, templateOf } from '../content/templates.ts'
import { type Outline, timestamp } from '../deck.ts'
import { pause } from '../pace.ts'
import {
  errorDetail,
  type FieldError,
  internalServerError,
  json,
  type Reply,
  validationFailed,
} from '../reply.ts'
import { storedRow } from '../rows.ts'
import type { Exchange, Route, StandInState } from '../state.ts'
import { findDeck } from './find-deck.ts'
import { outlineErrors, truncateWords } from './outlines.ts'
import { missingField, notAnObject, notAString, readObject } from './validation.ts'

export const prepareRoutes: readonly Route[] = [
  {
    method: 'POST',
    path: '/api/v1/ppt/presentation/prepare',
    operation: 'prepare',
    handle: prepare,
  },
]

type Layout = { name: string; ordered?: boolean; slides: { id: string }[] }

async function prepare(state: StandInState, exchange: Exchange): Promise<Reply> {
  const features = state.features()
  const body = await readObject(exchange)
  if ('errors' in body) return validationFailed(body.errors)
  const { presentation_id: id, outlines: outlinesIn, layout: layoutIn, title } = body.value
  const errors = [
    ...(id === undefined ? [missingField('presentation_id')] : []),
    ...outlineErrors(outlinesIn, 'outlines'),
    ...layoutErrors(layoutIn, features.layout),
  ]
  if (errors.length > 0) return validationFailed(errors)
  const outlines = outlinesIn as Outline[]
  if (outlines.length === 0) return errorDetail(400, 'Outlines are required')
  if (features.hasSlideAssets && outlines.length > 50)
    return errorDetail(400, 'Number of outlines cannot be greater than 50')
  const found = findDeck(state, exchange, id, ['body', 'presentation_id'])
  if ('reply' in found) return found.reply
  const { deck } = found
  const template =
    typeof layoutIn === 'string' ? templateOf(layoutIn.replace(/^custom-/, '')) : undefined
  if (typeof layoutIn === 'string' && !template)
    return errorDetail(404, 'Template layout not found')
  const layout: Layout = template
    ? { ...templateLayout(template), name: template.id }
    : (layoutIn as Layout)

  if (!layout.ordered) {
    state.spendCounter.count('prepares', deck.id)
    await pause(state.pace.prepareMs)
  }
  // A known bug of upstream: an IndexError without layouts, or with fewer ordered layouts than
  // outlines.
  if (layout.slides.length === 0 || (layout.ordered && layout.slides.length < outlines.length))
    return internalServerError()

  const stored = outlines.map((outline) => truncateWords(outline, features.maxOutlineWords))
  Object.assign(deck, {
    outlines: stored,
    layout,
    structure: layout.ordered
      ? stored.map((_, index) => index)
      : chooseLayouts(
          stored,
          layout.slides.map((slide) => slide.id),
          deck,
        ),
    title: typeof title === 'string' ? title : deck.title,
    updated_at: timestamp(),
    ...(features.layout === 'id' ? { language: '' } : {}),
  })
  state.replay?.applyRecordedPrepare(deck)
  return json(features.layout === 'id' ? { presentation_id: deck.id } : storedRow(deck, features))
}

function layoutErrors(value: unknown, kind: 'object' | 'id'): FieldError[] {
  if (value === undefined) return [missingField('layout')]
  if (kind === 'id') return typeof value === 'string' ? [] : [notAString(['body', 'layout'], value)]
  if (!value || typeof value !== 'object') return [notAnObject(['body', 'layout'], value)]
  const { name, slides } = value as Partial<Layout>
  return [
    ...(name === undefined ? [missingField('layout', 'name')] : []),
    ...(Array.isArray(slides) ? [] : [missingField('layout', 'slides')]),
  ]
}
