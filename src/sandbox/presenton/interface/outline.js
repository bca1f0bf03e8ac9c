// The outlines of a new deck: a template is chosen, the outlines are written, and may be edited.

import { call, openStream, ppt } from './api.js'
import { button, element, reported } from './dom.js'

const saveAfterMs = 1000

export function showOutline(main, { navigate, memory }) {
  const id = memory.outlinesOf
  if (!id) {
    // As in the real interface, only the page that made the deck knows it.
    main.append(element('p', {}, 'Nothing is being made here. Start with a new presentation.'))
    return
  }
  const list = element('ol', { className: 'outlines', 'aria-label': 'Outlines' })
  const progress = element('p', { role: 'status' })
  const templates = element('div', {
    className: 'templates',
    role: 'group',
    'aria-label': 'Templates',
  })
  let template
  let outlines = []
  let title = null
  let saving
  let close

  const save = () =>
    call(`${ppt}/outlines/${id}`, { method: 'PUT', body: { slides: outlines } }).catch(
      () => undefined,
    )

  const goOn = reported('Could not continue', async () => {
    clearTimeout(saving)
    await call(`${ppt}/presentation/prepare`, {
      method: 'POST',
      body: { presentation_id: id, outlines, layout: template, title },
    })
    await navigate(`/presentation?id=${id}&stream=true&type=standard`)
  })
  const next = button('Continue', goOn, { className: 'primary', disabled: true })

  function item(outline, index) {
    const shown = element('div', { className: 'markdown' })
    const draw = () => {
      // The real interface trusts the markup of outlines in just this way.
      shown.innerHTML = toHtml(outline.content)
    }
    const edit = element('textarea', {
      rows: 3,
      value: outline.content,
      'aria-label': `Outline ${index + 1}`,
      oninput() {
        outline.content = edit.value
        draw()
        clearTimeout(saving)
        saving = setTimeout(save, saveAfterMs)
      },
    })
    draw()
    return element('li', {}, shown, edit)
  }

  function write() {
    let text = ''
    progress.textContent = 'Writing the outlines …'
    close = openStream(`${ppt}/outlines/stream/${id}`, {
      onMessage(message) {
        if (message.type === 'status') progress.textContent = message.status
        else if (message.type === 'chunk') {
          text += message.chunk
          progress.textContent = `Writing the outlines … ${text.length} characters`
        } else if (message.type === 'complete') {
          outlines = message.presentation.outlines.slides
          title = message.presentation.title
          list.replaceChildren(...outlines.map(item))
          progress.textContent = ''
          next.disabled = false
        }
      },
      onFailure: (detail) => {
        progress.textContent = detail
      },
    })
  }

  const choose = (chosen) => {
    const isFirst = template === undefined
    template = chosen.id
    for (const one of templates.children)
      one.setAttribute('aria-pressed', String(one.value === template))
    if (!isFirst) return
    call(`${ppt}/chat/conversations?presentation_id=${id}`).catch(() => undefined)
    write()
  }

  const loadTemplates = reported('Could not list the templates', async () => {
    const all = await Promise.all(
      ['false', 'true'].map((kind) => call(`${ppt}/template/all?page_size=100&default=${kind}`)),
    )
    const found = all.flatMap((page) => page.items ?? page.templates ?? page)
    templates.append(
      ...found.map((one) =>
        button(one.name ?? one.id, () => choose(one), { value: one.id, 'aria-pressed': 'false' }),
      ),
    )
  })

  main.append(element('h1', {}, 'Outlines'), templates, progress, list, next)
  void loadTemplates()
  return () => close?.()
}

function toHtml(markdown) {
  return markdown
    .split('\n')
    .map((line) => {
      const [, marks, heading] = /^(#+) (.*)$/.exec(line) ?? []
      if (marks) return `<h3>${heading}</h3>`
      return line.trim() === '' ? '' : `<p>${line.replace(/^- /, '• ')}</p>`
    })
    .join('')
}
