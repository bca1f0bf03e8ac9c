// The user's decks: loaded page by page, kept up to date, and changed.

import { computed, effect, signal } from '@preact/signals'
import type { JobMessage, Presentation, Status } from '../client/client.ts'
import { keepFollowing, onWake } from './follow.ts'
import { isActive, titleOf } from './format.ts'
import { gateway, session } from './session.ts'
import { say, sayError } from './toasts.tsx'

const pageSize = 12
const undoMs = 5_000
/** The gateway follows at most 100 at once. */
const maxFollowed = 50

export const filter = signal<Status | undefined>(undefined)
export const decks = signal<Presentation[]>([])
export const hasMore = signal(true)
export const isLoading = signal(false)
export const loadError = signal<unknown>(undefined)
/** Taken away, but not deleted yet. */
const leaving = signal<ReadonlyMap<string, ReturnType<typeof setTimeout>>>(new Map())

export const shownDecks = computed(() => decks.value.filter(({ id }) => !leaving.value.has(id)))

let pages: AsyncGenerator<Presentation, void, undefined> | undefined
/** Counts the lists begun: what comes for an earlier one is ignored. */
let list = 0

const tabs = typeof BroadcastChannel === 'undefined' ? undefined : new BroadcastChannel('decks')
tabs?.addEventListener('message', ({ data }) => void refresh(String(data)))

/** What another tab of this user has done with a deck. Returns what stops it. */
export function onChangeElsewhere(id: string, read: () => void): () => void {
  const listener = ({ data }: MessageEvent) => {
    if (data === id) read()
  }
  tabs?.addEventListener('message', listener)
  return () => tabs?.removeEventListener('message', listener)
}

export async function loadMore(): Promise<void> {
  if (isLoading.value || !hasMore.value) return
  isLoading.value = true
  const mine = list
  pages ??= gateway.presentations.list({ status: filter.value, limit: pageSize })
  try {
    const found: Presentation[] = []
    let next = await pages.next()
    while (!next.done) {
      found.push(next.value)
      if (found.length === pageSize) break
      next = await pages.next()
    }
    if (mine !== list) return
    const known = new Set(decks.value.map(({ id }) => id))
    decks.value = [...decks.value, ...found.filter(({ id }) => !known.has(id))]
    hasMore.value = !next.done
    loadError.value = undefined
  } catch (error) {
    if (mine !== list) return
    // An iterator that has thrown is over.
    pages = undefined
    loadError.value = error
    sayError(error)
  } finally {
    if (mine === list) isLoading.value = false
  }
}

/** The newest ones as they are now: those that came, and changed, while the page slept. */
async function refreshNewest(): Promise<void> {
  const mine = list
  try {
    const newest = gateway.presentations.list({ status: filter.value, limit: pageSize })
    const found: Presentation[] = []
    for await (const deck of newest) {
      found.push(deck)
      if (found.length === pageSize) break
    }
    if (mine !== list) return
    const known = new Set(found.map(({ id }) => id))
    decks.value = [...found, ...decks.value.filter(({ id }) => !known.has(id))]
  } catch {
    // What is shown stays; the next waking tries again.
  }
}

/** Undefined shows all. */
export function showOnly(status: Status | undefined): Promise<void> {
  filter.value = status
  return reload()
}

export function reload(): Promise<void> {
  list += 1
  pages = undefined
  decks.value = []
  hasMore.value = true
  isLoading.value = false
  return loadMore()
}

/** The present state of one deck, here and in other tabs. */
export function putDeck(deck: Presentation, { isNew = false } = {}): void {
  const isKnown = decks.value.some(({ id }) => id === deck.id)
  if (isKnown) decks.value = decks.value.map((known) => (known.id === deck.id ? deck : known))
  else if (isNew && (filter.value === undefined || filter.value === deck.status)) {
    decks.value = [deck, ...decks.value]
  }
}

export function announce(id: string): void {
  tabs?.postMessage(id)
}

export async function refresh(id: string): Promise<void> {
  try {
    putDeck(await gateway.presentations.get(id), { isNew: true })
  } catch {
    decks.value = decks.value.filter((deck) => deck.id !== id)
  }
}

/** Deletes after a while, so that it can be undone. Closing the tab deletes at once. */
export function deleteDeck(deck: Presentation): void {
  const timer = setTimeout(() => void send(deck.id), undoMs)
  leaving.value = new Map(leaving.value).set(deck.id, timer)
  say(`“${titleOf(deck)}” is deleted.`, { undo: () => keep(deck.id) })
}

function keep(id: string): void {
  clearTimeout(leaving.value.get(id))
  const rest = new Map(leaving.value)
  rest.delete(id)
  leaving.value = rest
}

async function send(id: string): Promise<void> {
  clearTimeout(leaving.value.get(id))
  try {
    await gateway.presentations.delete(id)
    decks.value = decks.value.filter((deck) => deck.id !== id)
    announce(id)
  } catch (error) {
    sayError(error)
  }
  keep(id)
}

window.addEventListener('pagehide', () => {
  for (const id of leaving.value.keys()) void send(id)
})

const followed = computed(() =>
  decks.value
    .filter(isActive)
    .map(({ id }) => id)
    .slice(0, maxFollowed)
    .sort()
    .join(),
)

/** Keeps the progress of unfinished decks live. Returns what stops it. */
export function followLibrary(): () => void {
  let stop: (() => void) | undefined
  const dispose = effect(() => {
    const ids = followed.value.split(',').filter(Boolean)
    stop?.()
    stop = undefined
    if (ids.length === 0 || session.value !== 'in') return
    stop = keepFollowing(async (signal) => {
      for await (const message of gateway.realtime.follow(ids, { signal })) apply(message)
    })
  })
  const forget = onWake(() => {
    if (loadError.value === undefined) void refreshNewest()
    else void reload()
  })
  return () => {
    forget()
    dispose()
    stop?.()
  }
}

function apply(message: JobMessage): void {
  const { job_id: id } = message
  if (message.type === 'job_deleted') {
    decks.value = decks.value.filter((deck) => deck.id !== id)
    return
  }
  const { data } = message
  const deck = decks.value.find((known) => known.id === id)
  if (!deck) return
  const { status, stage, progress, slides_done, queue_position, estimated_completion } = data
  if (isActive(data)) {
    putDeck({
      ...deck,
      status,
      stage,
      progress,
      slides_done,
      queue_position,
      estimated_completion,
    })
  } else void refresh(id)
}
