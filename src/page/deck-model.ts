// One deck on its page: its state, its events and its slides, followed while the page is awake.

import { type Signal, signal } from '@preact/signals'
import {
  type Capabilities,
  GatewayError,
  type Presentation,
  type PresentationEvent,
} from '../client/client.ts'
import { addEvents, type DeckState, emptyDeck, type SlideObject } from './deck-state.ts'
import { keepFollowing, onWake } from './follow.ts'
import { isActive, titleOf } from './format.ts'
import { announce, onChangeElsewhere, putDeck } from './library.ts'
import { messageOf } from './problems.ts'
import { gateway, noticeSignedOut } from './session.ts'

/** Events are shown together, at most this often: a thousand may come at once. */
const showMs = 60

export interface DeckModel {
  deck: Signal<Presentation | undefined>
  state: Signal<DeckState>
  /** Those of the finished deck, with their revision. */
  finished: Signal<{ revision: number; slides: SlideObject[] } | undefined>
  /** A sentence on what happens. */
  message: Signal<string>
  isMissing: Signal<boolean>
  /** Why the deck, or its slides, cannot be read. */
  trouble: Signal<string>
  /** Again, after trouble. */
  reload: () => void
  put: (deck: Presentation) => void
  close: () => void
}

export const capabilities = signal<Capabilities | undefined>(undefined)

export function openDeck(id: string): DeckModel {
  const deck = signal<Presentation | undefined>(undefined)
  const state = signal(emptyDeck)
  const finished: DeckModel['finished'] = signal(undefined)
  const message = signal('')
  const isMissing = signal(false)
  const trouble = signal('')
  const stops: (() => void)[] = []
  let isFollowing = false
  let waiting: PresentationEvent[] = []
  let timer: ReturnType<typeof setTimeout> | undefined

  function show() {
    timer = undefined
    const events = waiting
    waiting = []
    state.value = addEvents(state.value, events)
    const { title } = state.value
    // The generator's own title is known long before the run ends.
    if (title && deck.value?.title === null) deck.value = { ...deck.value, title }
  }
  function add(event: PresentationEvent) {
    if (event.type === 'resync') return
    waiting.push(event)
    timer ??= setTimeout(show, showMs)
  }

  function fail(error: unknown) {
    if (error instanceof GatewayError && error.code === 'NOT_FOUND') isMissing.value = true
    else trouble.value = messageOf(error)
  }

  function put(next: Presentation) {
    const before = deck.value
    deck.value = next
    putDeck(next)
    if (isActive(next) && !isFollowing) follow()
    const isRead = finished.value !== undefined && finished.value.revision === next.revision
    if (next.status === 'completed' && !isRead) void readSlides()
    if (before && isActive(before) && !isActive(next)) {
      announce(id)
      if (next.status === 'completed') notifyReady(next)
    }
  }

  async function read(signal?: AbortSignal) {
    put(await gateway.presentations.get(id, { signal }))
    trouble.value = ''
  }

  let stopReading: (() => void) | undefined
  function reload() {
    stopReading?.()
    trouble.value = ''
    stopReading = keepFollowing(read, fail, fail)
  }

  async function readSlides() {
    try {
      const { revision, slides } = await gateway.presentations.slides(id)
      finished.value = { revision, slides }
    } catch (error) {
      const isUsual = error instanceof GatewayError && error.code === 'NOT_SUPPORTED'
      if (!isUsual && !noticeSignedOut(error)) trouble.value = messageOf(error)
      // The slides of the events are shown instead; see `follow`.
      if (!isFollowing && state.value.slides.length === 0) follow()
    }
  }

  function follow() {
    isFollowing = true
    const lastSeen = () => waiting.at(-1)?.id ?? state.value.cursor
    stops.push(
      keepFollowing(async (signal) => {
        const events = gateway.presentations.events(id, { signal, lastEventId: lastSeen() })
        for await (const event of events) add(event)
        isFollowing = false
        await read(signal)
      }, fail),
      keepFollowing(async (signal) => {
        for await (const progress of gateway.realtime.follow([id], { signal })) {
          if (progress.type === 'job_deleted') {
            isMissing.value = true
            return
          }
          const { data } = progress
          const known = deck.value
          message.value = data.message
          if (known && isActive(data)) {
            const { status, stage, progress: done, slides_done, queue_position } = data
            const { estimated_completion } = data
            deck.value = {
              ...known,
              status,
              stage,
              progress: done,
              slides_done,
              queue_position,
              estimated_completion,
            }
          } else await read(signal)
        }
      }, fail),
    )
  }

  reload()
  // Another tab or device may have changed the deck while this page slept.
  stops.push(onWake(reload), () => stopReading?.())
  stops.push(onChangeElsewhere(id, () => void read().catch(fail)))
  if (!capabilities.value) {
    gateway.capabilities.get().then(
      (found) => {
        capabilities.value = found
      },
      () => undefined,
    )
  }

  return {
    deck,
    state,
    finished,
    message,
    isMissing,
    trouble,
    reload,
    put,
    close() {
      clearTimeout(timer)
      for (const stop of stops) stop()
    },
  }
}

/** Tells the user, if allowed and looking elsewhere. */
function notifyReady(deck: Presentation): void {
  if (typeof Notification === 'undefined' || Notification.permission !== 'granted') return
  if (document.visibilityState === 'visible' && document.hasFocus()) return
  try {
    const notification = new Notification('Your deck is ready', {
      body: titleOf(deck),
      tag: deck.id,
    })
    notification.onclick = () => window.focus()
  } catch {
    // Some browsers on phones allow them to service workers only.
  }
}
