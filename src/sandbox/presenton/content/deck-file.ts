/**
 * The file of a deck. Tests export the same few decks many hundred times, so the last files are
 * kept: making one takes longer than the rest of a run.
 */

import { setNewest } from '../../../domain/bounded-map.ts'
import type { Deck, DeckExport } from '../deck.ts'
import { writePdf } from './pdf.ts'
import { writePptx } from './pptx.ts'
import { textOf } from './slide-text.ts'

const maxFiles = 50
/** By format, title and texts; the last used come last. */
const files = new Map<string, Promise<Buffer>>()

/** Decks with the same title and texts have the same bytes, which callers must not change. */
export async function writeDeckFile(deck: Deck, format: DeckExport['format']): Promise<Buffer> {
  const key = JSON.stringify([format, deck.title, deck.slides.map(textOf)])
  const file = files.get(key) ?? (format === 'pptx' ? writePptx(deck) : writePdf(deck))
  setNewest(files, key, file, maxFiles)
  try {
    return await file
  } catch (error) {
    files.delete(key)
    throw error
  }
}
