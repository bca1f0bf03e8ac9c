// A slide as an agent reads it: its title, and everything else that it says as lines of text.

import { readSlideTexts, type SlideBlock, type SlideLike } from '../contract/slide-texts.ts'

export function describeSlide(slide: SlideLike): { title: string; text: string } {
  const { title, blocks } = readSlideTexts(slide)
  return { title, text: blocks.flatMap(linesOf).join('\n') }
}

function linesOf(block: SlideBlock): string[] {
  switch (block.kind) {
    case 'text':
      return [block.text]
    case 'list':
      return block.items.map(({ heading, text }) =>
        heading ? `- ${heading}: ${text}` : `- ${text}`,
      )
    case 'table':
      return [block.head, ...block.rows]
        .filter((cells) => cells.length > 0)
        .map((cells) => cells.join(' | '))
    case 'numbers':
      return block.entries.map(({ label, value }) => (label ? `${label}: ${value}` : value))
    case 'image':
      return []
  }
}
