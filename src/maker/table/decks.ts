// A deck as it stands.

import { ppt, type Row } from './row.ts'

export const deckRows: Row[] = [
  { method: 'GET', path: `${ppt}/presentation/all`, class: 'deck', handler: 'listDecks' },
  { method: 'GET', path: `${ppt}/presentation/:id`, class: 'own', ids: ['path.id'] },
  {
    method: 'PATCH',
    path: `${ppt}/presentation/slide_update`,
    class: 'deck',
    handler: 'saveSlide',
    knownHandler: 'saveKnownSlide',
    ids: ['body.slide.presentation'],
    body: 'json',
    isUncompressed: true,
  },
  {
    method: 'PATCH',
    path: `${ppt}/presentation/update`,
    class: 'deck',
    handler: 'saveDeck',
    ids: ['body.id', 'body.slides[].presentation'],
    body: 'json',
  },
  {
    method: 'DELETE',
    path: `${ppt}/presentation/:id`,
    class: 'deck',
    handler: 'deleteDeck',
    ids: ['path.id'],
  },
  {
    method: 'DELETE',
    path: `${ppt}/chat/conversation`,
    class: 'deck',
    handler: 'deleteConversation',
    ids: ['query.presentation_id'],
  },
]
