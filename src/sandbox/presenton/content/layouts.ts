/**
 * Chooses a layout for each outline, as the model does in `prepare`: an index into the layouts on
 * offer.
 */

import type { Deck, Outline } from '../deck.ts'
import { isContents } from './outlining.ts'

export function chooseLayouts(
  outlines: readonly Outline[],
  layoutIds: readonly string[],
  deck: Deck,
): number[] {
  const find = (pattern: RegExp) => layoutIds.findIndex((id) => pattern.test(id))
  const plain = layoutIds
    .map((_, index) => index)
    .filter((index) => !/intro|contents|quote/.test(layoutIds[index] as string))
  return outlines.map((outline, index) => {
    const wish =
      index === 0 && deck.include_title_slide
        ? find(/intro/)
        : isContents(outline)
          ? find(/contents/)
          : -1
    if (wish >= 0) return wish
    return plain[index % plain.length] ?? index % layoutIds.length
  })
}
