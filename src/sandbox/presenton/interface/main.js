// The pages of the stand-in's interface. It asks for the routes of the real one, in its order, and
// has none of its looks.

import { call } from './api.js'
import { showDashboard } from './dashboard.js'
import { element } from './dom.js'
import { showEditor } from './editor.js'
import { showOutline } from './outline.js'
import { showUpload } from './upload.js'

const pages = {
  '/dashboard': showDashboard,
  '/upload': showUpload,
  '/outline': showOutline,
  '/presentation': showEditor,
}

/** What lives only in the page: the deck whose outlines are shown. */
const memory = {}
let leave

/** As Next.js does: asks for the page in the background, and loads it again where that fails. */
async function navigate(path) {
  const url = new URL(path, location.href)
  url.searchParams.set('_rsc', 'stand-in')
  const response = await fetch(url, { headers: { RSC: '1' } })
  const isPage = response.headers.get('content-type')?.startsWith('text/x-component')
  if (!response.ok || !isPage) return location.assign(path)
  const shown = new URL(response.url)
  shown.searchParams.delete('_rsc')
  history.pushState(null, '', `${shown.pathname}${shown.search}`)
  show()
}

/** Asked for when a link comes into view. */
const prefetch = (path) =>
  fetch(`${path}?_rsc=prefetch`, { headers: { RSC: '1', 'Next-Router-Prefetch': '1' } })

function show() {
  leave?.()
  const main = document.querySelector('main')
  main.replaceChildren()
  const query = new URLSearchParams(location.search)
  leave = (pages[location.pathname] ?? showOther)(main, { navigate, prefetch, memory, query })
}

const showOther = (main) =>
  void main.append(element('p', {}, 'The stand-in has nothing to show on this page.'))

document.addEventListener('click', (event) => {
  const link = event.target.closest('a[data-page]')
  if (!link || event.ctrlKey || event.metaKey) return
  event.preventDefault()
  void navigate(link.getAttribute('href'))
})
addEventListener('popstate', show)

async function start() {
  await Promise.allSettled([call('/api/telemetry-status'), call('/api/can-change-keys')])
  await call('/api/runtime-config').catch(() => undefined)
  show()
}

void start()
