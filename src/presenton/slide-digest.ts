// Digests of slides: whether upstream's slide is the same as before. Ids and places do not count.

import { createHash } from 'node:crypto'
import { canonicalJson } from '../domain/canonical-json.ts'
import type { DeckSlides, UpstreamSlide } from './deck-responses.ts'

const members = [
  ...['layout', 'layout_group', 'content', 'speaker_note', 'ui', 'html_content', 'properties'],
] as const

/** sha256 in hexadecimal. A null member counts as absent: versions differ in that. */
export function slideDigest(slide: UpstreamSlide): string {
  const counted = members.flatMap((name) =>
    slide[name] === null || slide[name] === undefined ? [] : [[name, slide[name]]],
  )
  return createHash('sha256')
    .update(canonicalJson(Object.fromEntries(counted)))
    .digest('hex')
}

export const slideDigests = ({ slides }: Pick<DeckSlides, 'slides'>): string[] =>
  slides.map(slideDigest)

export interface ExpectedDeck {
  slides: UpstreamSlide[]
  /** Undefined where upstream does not show it. */
  theme: unknown
  /** The slide that may have any content, and any id. */
  changedIndex?: number | undefined
}

/** Whether upstream has the expected slides in their order, with their ids, and the theme. */
export function isDeckAsExpected(
  deck: DeckSlides,
  { slides, theme, changedIndex }: ExpectedDeck,
): boolean {
  const hasSlides =
    deck.slides.length === slides.length &&
    deck.slides.every((slide, index) => {
      const expected = slides[index]
      if (index === changedIndex || !expected) return index === changedIndex
      return slide.id === expected.id && slideDigest(slide) === slideDigest(expected)
    })
  const shown = deck.presentation.theme
  const hasTheme =
    theme === undefined ||
    shown === undefined ||
    canonicalJson(shown ?? null) === canonicalJson(theme ?? null)
  return hasSlides && hasTheme
}
