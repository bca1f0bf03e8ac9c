/**
 * Changes of one slide: POST /slide/edit lets the model change its content, and gives it a new id;
 * PATCH /presentation/slide_update stores it.
 */

import { randomUUID } from 'node:crypto'
import { editSlide } from '../content/edits.ts'
import type { Deck, Slide } from '../deck.ts'
import { pause } from '../pace.ts'
import { errorDetail, internalServerError, json, type Reply, validationFailed } from '../reply.ts'
import { readSlide } from '../rows.ts'
import type { Exchange, Route, StandInState } from '../state.ts'
import { isOwn } from './find-deck.ts'
import { idError, missingField, notAString, readObject } from './validation.ts'

export const slideEditRoutes: readonly Route[] = [
  { method: 'POST', path: '/api/v1/ppt/slide/edit', operation: 'slide-edit', handle: edit },
  {
    method: 'PATCH',
    path: '/api/v1/ppt/presentation/slide_update',
    operation: 'slide-update',
    isAvailable: ({ hasSlideUpdate }) => hasSlideUpdate,
    handle: update,
  },
]

function findSlide(
  state: StandInState,
  exchange: Exchange,
  id: unknown,
): { deck: Deck; slide: Slide } | undefined {
  for (const deck of state.decks.values()) {
    if (!isOwn(deck, exchange, state)) continue
    const slide = deck.slides.find((one) => one.id === String(id).toLowerCase())
    if (slide) return { deck, slide }
  }
  return undefined
}

async function edit(state: StandInState, exchange: Exchange): Promise<Reply> {
  const features = state.features()
  const body = await readObject(exchange)
  if ('errors' in body) return validationFailed(body.errors)
  const { id, prompt } = body.value
  const absent = ['id', 'prompt'].filter((field) => body.value[field] === undefined)
  if (absent.length > 0) return validationFailed(absent.map((field) => missingField(field)))
  const error = idError(id, ['body', 'id'], features)
  if (error) return validationFailed([error])
  if (typeof prompt !== 'string') return validationFailed([notAString(['body', 'prompt'], prompt)])
  const found = findSlide(state, exchange, id)
  if (!found) return errorDetail(404, 'Slide not found')
  const { deck, slide } = found
  exchange.journalEntry.deckId = deck.id
  // Its layouts are not in the form that this route expects.
  if (!features.slideEditWorks) return internalServerError()
  state.spendCounter.countEdit()
  await state.gates.pass('slide-edit:work')
  await pause(state.pace.prepareMs)
  const { content } = prompt.startsWith('tool:none') ? slide : editSlide(slide, prompt)
  const note = content.__speaker_note__
  // A change that another request has made in between is lost.
  Object.assign(slide, {
    id: randomUUID(),
    content,
    speaker_note: typeof note === 'string' ? note : '',
  })
  return json(readSlide(slide, features))
}

/** Id, index and deck of the slide stay; all other members are replaced. */
async function update(state: StandInState, exchange: Exchange): Promise<Reply> {
  const features = state.features()
  const body = await readObject(exchange)
  if ('errors' in body) return validationFailed(body.errors)
  const given = body.value.slide as Partial<Slide> | undefined
  if (given === undefined) return validationFailed([missingField('slide')])
  if (idError(given.id, [], features) || idError(given.presentation, [], features))
    return errorDetail(422, 'Slide and presentation IDs must be valid UUIDs')
  const found = findSlide(state, exchange, given.id)
  if (!found) return errorDetail(404, 'Slide not found')
  const { deck, slide } = found
  exchange.journalEntry.deckId = deck.id
  if (slide.presentation !== given.presentation)
    return errorDetail(400, 'Slide does not belong to the supplied presentation')
  const { layout, layout_group, content } = { ...slide, ...given }
  const { speaker_note = null, html_content = null, properties = null, ui = null } = given
  Object.assign(slide, { layout, layout_group, content })
  Object.assign(slide, { speaker_note, html_content, properties, ui })
  return json(readSlide(slide, features))
}
