// URLs are states: the path decides what is shown; back and forward work.

import { signal } from '@preact/signals'
import { base } from './settings.ts'

export type Route =
  | { name: 'home' }
  | { name: 'deck'; id: string }
  | { name: 'outlines'; id: string }
  | { name: 'settings' }
  | { name: 'unknown' }

export const homePath = `${base}/`
export const settingsPath = `${base}/settings`
export const deckPath = (id: string) => `${base}/decks/${id}`
export const outlinesPath = (id: string) => `${base}/decks/${id}/outlines`

export const route = signal(readRoute())

/** Asked before the page is left; false keeps it. */
let mayLeave: (() => boolean) | undefined
let shownUrl = location.href

function readRoute(): Route {
  const path = location.pathname.slice(base.length).replace(/(?<=.)\/$/, '')
  if (path === '/' || path === '') return { name: 'home' }
  if (path === '/settings') return { name: 'settings' }
  const [, id, rest] = /^\/decks\/([\da-f-]{36})(\/outlines)?$/i.exec(path) ?? []
  if (id === undefined) return { name: 'unknown' }
  return { name: rest ? 'outlines' : 'deck', id }
}

function show() {
  shownUrl = location.href
  route.value = readRoute()
}

export function navigate(path: string, { replace = false } = {}): void {
  if (mayLeave && !mayLeave()) return
  mayLeave = undefined
  history[replace ? 'replaceState' : 'pushState']({}, '', path)
  show()
  window.scrollTo(0, 0)
}

/** Until the returned function is called, leaving asks `check` first. */
export function guardLeaving(check: () => boolean): () => void {
  mayLeave = check
  return () => {
    if (mayLeave === check) mayLeave = undefined
  }
}

window.addEventListener('popstate', () => {
  if (mayLeave && !mayLeave()) {
    history.pushState({}, '', shownUrl)
    return
  }
  mayLeave = undefined
  show()
})

// Links of the page change its state; with a modifier they open another tab as usual.
document.addEventListener('click', (event) => {
  const link = event.target instanceof Element ? event.target.closest('a') : null
  if (!link || event.defaultPrevented || event.button !== 0) return
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return
  if (link.target || link.hasAttribute('download') || link.origin !== location.origin) return
  if (!link.hasAttribute('data-state')) return
  event.preventDefault()
  navigate(link.pathname)
})
