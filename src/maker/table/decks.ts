// A deck as it stands.

import { ppt, type Row } from './row.ts'

export const deckRows: Row[] = [
  { method: 'GET', path: `${ppt}/presentation/:id`, class: 'own', ids: ['path.id'] },
]
