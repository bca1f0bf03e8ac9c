// The slides of a deck: a list of them, and the chosen one with its texts.

import { button, element, field } from './dom.js'
import { pictureOf, setText, textsOf } from './slide-texts.js'

const saveAfterMs = 1000

export function createSlides({ saveDeck, saveSlide }) {
  const list = element('ol', { className: 'slides', 'aria-label': 'Slides' })
  const shown = element('section', { className: 'slide', 'aria-label': 'Slide' })
  /** By slide: each changed slide is saved by itself. */
  const saving = new Map()
  let deck = { slides: [] }
  let chosen = 0
  let isMaking = false

  function changed(slide) {
    clearTimeout(saving.get(slide.id))
    saving.set(
      slide.id,
      setTimeout(() => saveSlide(slide), saveAfterMs),
    )
  }

  const titleOf = (slide) => textsOf(slide)[0]?.text || 'Blank slide'

  function drawList() {
    list.replaceChildren(
      ...deck.slides.map((slide, index) => {
        const choose = () => {
          chosen = index
          draw()
        }
        const members = { 'aria-current': String(index === chosen), title: titleOf(slide) }
        return element('li', {}, button(titleOf(slide), choose, members))
      }),
    )
  }

  function draw() {
    chosen = Math.max(0, Math.min(chosen, deck.slides.length - 1))
    drawList()
    const slide = deck.slides[chosen]
    shown.replaceChildren()
    if (!slide) return
    const picture = pictureOf(slide)
    shown.append(
      element(
        'div',
        { className: 'canvas' },
        ...textsOf(slide).map((text) => textField(slide, text)),
      ),
      ...(picture ? [element('img', { src: picture, alt: '' })] : []),
      field('Speaker note', noteField(slide)),
      element('p', { className: 'actions' }, ...actionsOf(slide)),
    )
  }

  const textField = (slide, { path, text }) =>
    element('textarea', {
      rows: 1,
      value: text,
      readOnly: isMaking,
      'aria-label': path.join(' '),
      oninput({ target }) {
        setText(slide, path, target.value)
        drawList()
        changed(slide)
      },
    })

  const noteField = (slide) =>
    element('textarea', {
      rows: 2,
      value: slide.speaker_note ?? '',
      readOnly: isMaking,
      oninput({ target }) {
        slide.speaker_note = target.value
        changed(slide)
      },
    })

  function actionsOf(slide) {
    const change = (label, work) =>
      button(
        label,
        () => {
          work()
          draw()
          saveDeck()
        },
        { disabled: isMaking },
      )
    const insert = (added) => {
      deck.slides.splice(chosen + 1, 0, { ...added, id: crypto.randomUUID() })
      chosen += 1
    }
    const move = (by) => {
      const to = chosen + by
      if (to < 0 || to >= deck.slides.length) return
      deck.slides.splice(to, 0, ...deck.slides.splice(chosen, 1))
      chosen = to
    }
    return [
      change('Add slide', () => insert(blankSlide(deck))),
      change('Duplicate slide', () => insert(structuredClone(slide))),
      change('Move up', () => move(-1)),
      change('Move down', () => move(1)),
      change('Delete slide', () => deck.slides.splice(chosen, 1)),
    ]
  }

  return {
    list,
    shown,
    index: () => chosen,
    show(next, { isMaking: making = false } = {}) {
      deck = next
      isMaking = making
      draw()
    },
  }
}

const corners = [
  { x: 0, y: 0 },
  { x: 1280, y: 0 },
  { x: 1280, y: 720 },
  { x: 0, y: 720 },
]

function blankSlide({ id, slides }) {
  return {
    presentation: id,
    layout_group: slides[0]?.layout_group ?? 'blank',
    layout: '__blank_slide__',
    content: { title: '', body: '' },
    speaker_note: '',
    properties: null,
    html_content: null,
    ui: {
      id: '__blank_slide__',
      description: 'Empty slide.',
      background: '#FFFFFF',
      components: [],
      elements: [
        {
          type: 'vector',
          shape: 'polygon',
          points: corners,
          closed: true,
          fill: { color: '#FFFFFF' },
          decorative: true,
        },
      ],
    },
  }
}
