/**
 * POST /presentation/create/blank: a deck with upstream's empty slide, without a model.
 */

import { randomUUID } from 'node:crypto'
import { createDeck } from '../deck.ts'
import { json, type Reply } from '../reply.ts'
import { readSlide, shownRow } from '../rows.ts'
import type { Exchange, Route, StandInState } from '../state.ts'
import { ownerOf } from './find-deck.ts'

export const createBlankRoutes: readonly Route[] = [
  {
    method: 'POST',
    path: '/api/v1/ppt/presentation/create/blank',
    operation: 'create',
    isAvailable: ({ hasBlankDeck }) => hasBlankDeck,
    handle: createBlank,
  },
]

function createBlank(state: StandInState, exchange: Exchange): Reply {
  const { decks, features } = state
  const deck = createDeck({
    content: '',
    n_slides: 1,
    language: 'English',
    file_paths: null,
    instructions: null,
    tone: 'default',
    verbosity: 'standard',
    include_table_of_contents: false,
    include_title_slide: false,
    web_search: false,
    theme: null,
  })
  deck.title = 'Untitled Presentation'
  deck.slides = [
    {
      id: randomUUID(),
      presentation: deck.id,
      layout_group: 'blank',
      layout: '__blank_slide__',
      index: 0,
      content: {},
      speaker_note: '',
      ui: blankUi,
      html_content: null,
      properties: null,
    },
  ]
  deck.owner = ownerOf(exchange, state)
  decks.set(deck.id, deck)
  exchange.journalEntry.deckId = deck.id
  const slides = deck.slides.map((slide) => readSlide(slide, features()))
  return json({ ...shownRow(deck, slides, features()), tone: null, verbosity: null }, 201)
}

const corners = [
  { x: 0, y: 0 },
  { x: 1280, y: 0 },
  { x: 1280, y: 720 },
  { x: 0, y: 720 },
]

/** As recorded. */
const blankUi = {
  id: '__blank_slide__',
  description: 'Empty slide.',
  background: '#FFFFFF',
  components: [],
  elements: [
    {
      type: 'vector',
      shape: 'polygon',
      points: corners,
      closed: true,
      fill: { color: '#FFFFFF' },
      decorative: true,
    },
  ],
}
