// The editor of a deck: its slides as they are made or stored, and what can be done to them.

import { call, openStream, ppt } from './api.js'
import { openChat } from './chat.js'
import { button, element, reported, toast } from './dom.js'
import { createSlides } from './slides.js'

export function showEditor(main, { navigate, query }) {
  const id = query.get('id') ?? ''
  let deck
  let closeStream

  const progress = element('p', { role: 'status' })
  const name = element('input', { 'aria-label': 'Title', className: 'title' })
  const slides = createSlides({ saveDeck, saveSlide })

  // Refused saves change nothing on the page, as in the real interface.
  function patch(path, body) {
    return call(`${ppt}/presentation/${path}`, { method: 'PATCH', body }).catch(() => undefined)
  }
  function saveSlide(slide) {
    return patch('slide_update', { slide })
  }
  function saveDeck() {
    deck.slides.forEach((slide, index) => {
      slide.index = index
    })
    return patch('update', { ...deck, n_slides: deck.slides.length })
  }
  name.addEventListener('change', () => {
    deck.title = name.value
    void patch('update', { id, title: name.value })
  })

  async function load() {
    deck = await call(`${ppt}/presentation/${id}`)
    name.value = deck.title ?? ''
    slides.show(deck)
    return deck
  }

  function stream() {
    progress.textContent = 'Making the slides …'
    const made = []
    closeStream = openStream(`${ppt}/presentation/stream/${id}`, {
      onMessage(message) {
        if (message.type === 'status') progress.textContent = message.status
        else if (message.type === 'chunk') {
          const slide = parseSlide(message.chunk)
          if (!slide) return
          made.push(slide)
          progress.textContent = `Making the slides … ${made.length}`
          slides.show({ ...deck, slides: made }, { isMaking: true })
        } else if (message.type === 'complete') finish().catch((error) => toast(error.message))
      },
      onFailure(detail) {
        progress.textContent = detail
      },
    })
  }

  async function finish() {
    query.delete('stream')
    history.replaceState(null, '', `/presentation?${query}`)
    progress.textContent = ''
    await load()
    // The real interface saves each slide once more.
    for (const slide of deck.slides) await saveSlide(slide)
  }

  const exportAs = (format) =>
    reported('Could not export it', async () => {
      progress.textContent = `Exporting ${format.toUpperCase()} …`
      try {
        const title = (deck.title ?? '').replace(/[^\w-]+/g, '-') || 'presentation'
        const { path } = await call('/api/export-presentation', {
          method: 'POST',
          body: { format, id, title },
          type: 'text/plain;charset=UTF-8',
        })
        const link = element('a', { href: path, download: `${title}.${format}` })
        document.body.append(link)
        link.click()
        link.remove()
      } finally {
        progress.textContent = ''
      }
    })

  const regenerate = () => navigate(`/presentation?id=${id}&stream=true`)

  main.append(
    element(
      'header',
      { className: 'bar' },
      name,
      button('Regenerate', regenerate),
      button('Export PPTX', exportAs('pptx')),
      button('Export PDF', exportAs('pdf')),
    ),
    progress,
    element(
      'div',
      { className: 'editor' },
      slides.list,
      slides.shown,
      openChat({ id, load, slides }),
    ),
  )

  const start = async () => {
    await load()
    if (query.get('stream') === 'true') stream()
  }
  start().catch((error) => {
    progress.textContent = `Something went wrong. ${error.message}`
  })
  return () => closeStream?.()
}

/** The stream has one slide in each piece of its document. */
function parseSlide(chunk) {
  try {
    const value = JSON.parse(chunk)
    return typeof value === 'object' && value?.layout ? value : undefined
  } catch {
    return undefined
  }
}
