// The list of decks: open, make, copy, delete.

import { call, ppt } from './api.js'
import { button, element, reported } from './dom.js'
import { textsOf } from './slide-texts.js'

export function showDashboard(main, { navigate, prefetch }) {
  const list = element('ul', { className: 'decks', 'aria-label': 'Presentations' })
  const makeBlank = reported('Could not make it', async () => {
    const { id } = await call(`${ppt}/presentation/create/blank`, { method: 'POST' })
    await navigate(`/presentation?id=${id}&type=standard`)
  })
  main.append(
    element('h1', {}, 'Presentations'),
    element(
      'p',
      { className: 'actions' },
      element('a', { href: '/upload', className: 'primary', 'data-page': '' }, 'New presentation'),
      button('Blank presentation', makeBlank),
    ),
    list,
  )

  function card(deck) {
    const [title = '', ...lines] = textsOf(deck.slides[0]).map(({ text }) => text)
    const copy = reported('Could not copy it', async () => {
      await call(`${ppt}/presentation/${deck.id}/duplicate`, { method: 'POST' })
      await load()
    })
    const remove = reported('Could not delete it', async () => {
      await call(`${ppt}/presentation/${deck.id}`, { method: 'DELETE' })
      await load()
    })
    const name = deck.title || 'Untitled'
    const href = `/presentation?id=${deck.id}&type=standard`
    return element(
      'li',
      {},
      element(
        'div',
        { className: 'thumbnail', 'aria-hidden': 'true' },
        element('b', {}, title),
        element('span', {}, lines.slice(0, 3).join(' ')),
      ),
      element('a', { href, 'data-page': '' }, name),
      element(
        'p',
        { className: 'actions' },
        button('Duplicate', copy, { 'aria-label': `Duplicate ${name}` }),
        button('Delete', remove, { 'aria-label': `Delete ${name}` }),
      ),
    )
  }

  async function load() {
    const [decks] = await Promise.all([
      call(`${ppt}/presentation/all?version=v2-standard`),
      call(`${ppt}/presentation/all?version=v1-standard&include_slides=false`),
    ])
    const none = element('li', { className: 'none' }, 'No presentations yet.')
    list.replaceChildren(...(decks.length > 0 ? decks.map(card) : [none]))
  }

  void reported('Could not list the presentations', load)()
  void prefetch('/upload')
}
