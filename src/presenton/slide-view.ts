// A slide in its wire form. Of upstream's members only these leave the gateway.

import type { SlideView } from '../contract/slides.ts'
import { isObject, type UpstreamSlide } from './deck-responses.ts'

export function slideView(slide: UpstreamSlide, index: number): SlideView {
  const { id, layout, layout_group, content, speaker_note, ui } = slide
  return {
    index,
    id: String(id ?? ''),
    layout: textOrNull(layout),
    layout_group: textOrNull(layout_group),
    content: isObject(content) ? content : {},
    speaker_note: textOrNull(speaker_note),
    ...(isObject(ui) && { ui }),
  }
}

const textOrNull = (value: unknown) => (typeof value === 'string' ? value : null)
