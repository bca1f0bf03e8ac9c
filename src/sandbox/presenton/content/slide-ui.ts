/**
 * The `ui` of B's slides: boxes, images and text runs on a canvas of 1280 by 720. It has a few KB
 * for each slide, like the recorded traffic.
 */

import type { OutlineText } from './outline-text.ts'

type SlideImages = { imageUrl: string; iconUrl: string; prompt: string }
type Area = { x: number; y: number; width: number; height: number }

export function buildSlideUi(
  id: string,
  kind: 'intro' | 'contents' | 'bullets',
  { title, lines }: OutlineText,
  images: SlideImages,
) {
  const headline = kind === 'intro' ? 'headline_text' : 'slide_headline'
  const canvas = component(
    'background_canvas',
    'Full slide white canvas that establishes the minimal presentation backdrop.',
    0,
    0,
    [polygon({ x: 0, y: 0, width: 1280, height: 720 }, '#FFFFFF')],
  )
  const heading = component(
    'large_title_area',
    'Prominent headline area with generous whitespace below.',
    80,
    48,
    [
      text(
        headline,
        title,
        { x: 0, y: 0, width: 1100, height: 120 },
        { size: 48, bold: true, color: '#111827' },
      ),
      polygon({ x: 0, y: 128, width: 80, height: 4 }, '#9333EA'),
    ],
  )
  const body = component(
    'feature_grid_area',
    'Rows of text, each with its mark.',
    96,
    220,
    lines.flatMap((line, row) => [
      ...(kind === 'bullets' ? [icon(images, { x: 0, y: row * 88, width: 24, height: 24 })] : []),
      text(
        'feature_description',
        line,
        { x: 48, y: row * 88, width: 640, height: 80 },
        { size: 18, bold: false, color: '#4B5563' },
      ),
    ]),
  )
  const imagePanel = component(
    'right_image_panel',
    'Rounded picture panel on the right.',
    840,
    220,
    [
      polygon({ x: 0, y: 0, width: 360, height: 360 }, '#FFFFFF'),
      image('primary_photo', images, { x: 0, y: 0, width: 360, height: 360 }),
    ],
  )
  const description = 'A clean layout with a large title, text blocks and a rounded picture panel.'
  return {
    id,
    description,
    components: kind === 'contents' ? [canvas, heading, body] : [canvas, heading, body, imagePanel],
  }
}

function component(id: string, description: string, x: number, y: number, elements: unknown[]) {
  return { id, description, position: { x, y }, elements }
}

function polygon({ x, y, width, height }: Area, color: string) {
  const points = [
    { x, y },
    { x: x + width, y },
    { x: x + width, y: y + height },
    { x, y: y + height },
  ]
  return { type: 'vector', shape: 'polygon', points, closed: true, fill: { color } }
}

function text(
  name: string,
  words: string,
  area: Area,
  { size, bold, color }: { size: number; bold: boolean; color: string },
) {
  const font = { size, family: 'Poppins', color, bold, italic: false, line_height: 1.24 }
  const alignment = { horizontal: 'left', vertical: 'top' }
  return {
    type: 'text',
    ...box(area),
    font,
    alignment,
    runs: [{ text: words, font }],
    decorative: false,
    name,
    max_length: 275,
    min_length: 1,
  }
}

function image(name: string, { imageUrl, prompt }: SlideImages, area: Area) {
  const border_radius = { tl: 16, tr: 16, bl: 16, br: 16 }
  return {
    type: 'image',
    ...box(area),
    data: imageUrl,
    fit: 'cover',
    border_radius,
    decorative: false,
    name,
    is_icon: false,
    prompt,
  }
}

function icon({ iconUrl }: SlideImages, area: Area) {
  const looks = { data: iconUrl, fit: 'fill', color: '#FFFFFF', decorative: false }
  return {
    type: 'image',
    ...box(area),
    ...looks,
    name: 'feature_icon',
    is_icon: true,
    prompt: 'chart',
  }
}

function box({ x, y, width, height }: Area) {
  return { position: { x, y }, size: { width, height }, rotation: 0 }
}
