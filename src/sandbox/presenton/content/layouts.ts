/**
 * Chooses a layout for each outline, as the model does in `prepare`: an index into the given
 * layouts.
 */

import type { Deck, Outline } from '../deck.ts'
import { isContents } from './outlines.ts'

export function chooseLayouts(
  outlines: readonly Outline[],
  layoutIds: readonly string[],
  deck: Deck,
): number[] {
  const find = (pattern: RegExp) => layoutIds.findIndex((id) => pattern.test(id))
  const bodyLayouts = layoutIds
    .map((_, index) => index)
    .filter((index) => !/intro|contents|quote/.test(layoutIds[index] as string))
  return outlines.map((outline, index) => {
    const special =
      index === 0 && deck.include_title_slide
        ? find(/intro/)
        : isContents(outline)
          ? find(/contents/)
          : -1
    if (special >= 0) return special
    return bodyLayouts[index % bodyLayouts.length] ?? index % layoutIds.length
  })
}
