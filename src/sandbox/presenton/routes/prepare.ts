/**
 * POST /presentation/prepare: the model chooses a layout for each outline. Safe to repeat. A and T
 * are given the layout itself and answer with the whole row; B is given a template's id, answers
 * with the deck's, and blanks `language`.
 */

import { chooseLayouts } from '../content/layouts.ts'
import { templateLayout, templateOf } from '../content/templates.ts'
import { type Outline, stamp } from '../deck.ts'
import { pause } from '../pace.ts'
import { crashed, detail, type Flaw, json, type Reply, unprocessable } from '../reply.ts'
import { storedRow } from '../rows.ts'
import type { Exchange, Route, World } from '../world.ts'
import { missing, notAnObject, notAString, readObject } from './body.ts'
import { findDeck } from './lookup.ts'
import { cutWords, flawsOfOutlines } from './outlines.ts'

export const prepareRoutes: readonly Route[] = [
  { method: 'POST', path: '/api/v1/ppt/presentation/prepare', operation: 'prepare', act: prepare },
]

type Layout = { name: string; ordered?: boolean; slides: { id: string }[] }

async function prepare(world: World, exchange: Exchange): Promise<Reply> {
  const features = world.features()
  const body = await readObject(exchange)
  if ('flaws' in body) return unprocessable(body.flaws)
  const { presentation_id: id, outlines: given, layout: wanted, title } = body.value
  const flaws = [
    ...(id === undefined ? [missing('presentation_id')] : []),
    ...flawsOfOutlines(given, 'outlines'),
    ...flawsOfLayout(wanted, features.layout),
  ]
  if (flaws.length > 0) return unprocessable(flaws)
  const outlines = given as Outline[]
  if (outlines.length === 0) return detail(400, 'Outlines are required')
  if (features.slideAssets && outlines.length > 50)
    return detail(400, 'Number of outlines cannot be greater than 50')
  const found = findDeck(world, exchange, id, ['body', 'presentation_id'])
  if ('reply' in found) return found.reply
  const { deck } = found
  const template =
    typeof wanted === 'string' ? templateOf(wanted.replace(/^custom-/, '')) : undefined
  if (typeof wanted === 'string' && !template) return detail(404, 'Template layout not found')
  const layout: Layout = template
    ? { ...templateLayout(template), name: template.id }
    : (wanted as Layout)

  if (!layout.ordered) {
    world.ledger.pay('prepares', deck.id)
    await pause(world.pace.prepareMs)
  }
  // Known upstream bug: no layouts, or an ordered list shorter than the outlines, is an IndexError.
  if (layout.slides.length === 0 || (layout.ordered && layout.slides.length < outlines.length))
    return crashed()

  const stored = outlines.map((outline) => cutWords(outline, features.outlineWords))
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
    updated_at: stamp(),
    ...(features.layout === 'id' ? { language: '' } : {}),
  })
  world.replay?.prepared(deck)
  return json(features.layout === 'id' ? { presentation_id: deck.id } : storedRow(deck, features))
}

function flawsOfLayout(value: unknown, kind: 'object' | 'id'): Flaw[] {
  if (value === undefined) return [missing('layout')]
  if (kind === 'id') return typeof value === 'string' ? [] : [notAString(['body', 'layout'], value)]
  if (!value || typeof value !== 'object') return [notAnObject(['body', 'layout'], value)]
  const { name, slides } = value as Partial<Layout>
  return [
    ...(name === undefined ? [missing('layout', 'name')] : []),
    ...(Array.isArray(slides) ? [] : [missing('layout', 'slides')]),
  ]
}
