/**
 * Slides from outlines: the layouts are those of the recorded traffic, the texts are the outline's.
 */

import { randomUUID } from 'node:crypto'
import type { Deck, Slide } from '../deck.ts'
import type { Features } from '../shape.ts'
import { type OutlineText, readOutline } from './outline-text.ts'
import { isContents } from './outlines.ts'
import { buildSlideUi } from './slide-ui.ts'

const prompt = 'team reviewing a chart in a bright office'
const imageUrl = '/static/images/placeholder.jpg'
const iconUrl = '/static/icons/placeholder.svg'

export function writeSlide(deck: Deck, index: number, features: Features): Slide {
  const outline = deck.outlines?.[index] ?? { content: '' }
  const text = readOutline(outline.content)
  const note = [text.title, ...text.lines].join('\n')
  const layout = deck.layout as { name: string; slides: { id: string }[] }
  const layoutId = layout.slides[deck.structure?.[index] ?? 0]?.id ?? 'general:basic-info-slide'
  const kind =
    index === 0 && deck.include_title_slide ? 'intro' : isContents(outline) ? 'contents' : 'bullets'
  const shown = features.hasSlideUi
    ? contentB(kind, text)
    : { layout: layoutId, content: contentA(kind, text) }
  return {
    id: randomUUID(),
    presentation: deck.id,
    layout_group: layout.name,
    layout: shown.layout,
    index,
    content: { ...shown.content, __speaker_note__: note },
    speaker_note: note,
    ui: features.hasSlideUi
      ? buildSlideUi(shown.layout, kind, text, { imageUrl, iconUrl, prompt })
      : null,
    html_content: null,
    properties: null,
  }
}

type SlideKind = 'intro' | 'contents' | 'bullets'

function contentA(kind: SlideKind, { title, lines }: OutlineText): Record<string, unknown> {
  const image = { __image_prompt__: prompt, __image_url__: imageUrl }
  if (kind === 'intro') return { title, description: lines.join(' '), image }
  if (kind === 'contents') return { title, sections: lines.map((line) => ({ title: line })) }
  const icon = { __icon_query__: 'chart', __icon_url__: iconUrl }
  return { title, image, bulletPoints: lines.map((line) => ({ title: line, icon })) }
}

function contentB(kind: SlideKind, { title, lines }: OutlineText) {
  const visual = { image_prompt: prompt, image_url: imageUrl }
  if (kind === 'intro') {
    const content = {
      image_showcase_card: { main_visual: visual },
      right_text_panel: { headline_text: title, body_copy: lines.join(' ') },
    }
    return { layout: 'title_intro', content }
  }
  if (kind === 'contents') {
    const entries = lines.map((line) => ({ entry_title: line }))
    return {
      layout: 'table_of_contents',
      content: { large_title_area: { slide_headline: title }, contents_area: { entries } },
    }
  }
  const features = lines.map((line) => ({
    feature_icon: { icon_query: 'chart', icon_url: iconUrl },
    feature_description: line,
  }))
  return {
    layout: 'title_image_bullet_points_1',
    content: {
      large_title_area: { slide_headline: title },
      feature_grid_area: { feature_grid: features },
      right_image_panel: { primary_photo: visual },
    },
  }
}
