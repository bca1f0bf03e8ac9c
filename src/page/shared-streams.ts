// Browsers open six connections to one origin over HTTP/1.1, for all tabs together. So the tabs
// share three places for event streams, and the other connections stay free for calls.

import { watchConnection } from './connection.ts'

const places = 3
/** How long a tab keeps its place while others wait. The client resumes where it stopped. */
const turnMs = 3_000

const isStream = (init: RequestInit | undefined) =>
  (init?.headers as Record<string, string> | undefined)?.['accept'] === 'text/event-stream'

/** Whether requests should outlive the page. */
let isLeaving = false
window.addEventListener('pagehide', () => {
  isLeaving = true
})
window.addEventListener('pageshow', () => {
  isLeaving = false
})

/** A fetch that waits for a place before it opens an event stream. */
export const sharedFetch: typeof fetch = (url, init) => {
  const response =
    isStream(init) && 'locks' in navigator
      ? openStream(url, init)
      : fetch(url, isLeaving ? { ...init, keepalive: true } : init)
  return watchConnection(response, init?.signal)
}

async function openStream(url: RequestInfo | URL, init: RequestInit | undefined) {
  const leave = await takePlace(init?.signal ?? undefined)
  const turn = new AbortController()
  const signal = init?.signal ? AbortSignal.any([init.signal, turn.signal]) : turn.signal
  const timer = setInterval(() => {
    void others().then((waiting) => waiting > 0 && turn.abort())
  }, turnMs)
  signal.addEventListener('abort', finish, { once: true })
  function finish() {
    clearInterval(timer)
    leave()
  }
  try {
    const response = await fetch(url, { ...init, signal })
    if (!response.body || !response.ok) {
      finish()
      return response
    }
    const body = response.body.pipeThrough(new TransformStream({ flush: finish }))
    return new Response(body, response)
  } catch (error) {
    finish()
    throw error
  }
}

/** Resolves with the function that gives the place back. */
function takePlace(signal: AbortSignal | undefined): Promise<() => void> {
  const waiting = new AbortController()
  signal?.addEventListener('abort', () => waiting.abort(signal.reason), { once: true })
  return new Promise((resolve, reject) => {
    let isTaken = false
    const requests = Array.from({ length: places }, (_, place) =>
      navigator.locks.request(`event-stream-${place}`, { signal: waiting.signal }, () => {
        if (isTaken) return undefined
        isTaken = true
        return new Promise<void>((leave) => {
          resolve(leave)
          // The places that were asked for as well are not needed.
          waiting.abort()
        })
      }),
    )
    for (const request of requests) {
      request.catch((error: unknown) => {
        if (!isTaken) reject(error)
      })
    }
  })
}

/** Tabs that wait for a place. Each waits for all of them. */
async function others(): Promise<number> {
  const { pending = [] } = await navigator.locks.query()
  return pending.filter(({ name }) => name?.startsWith('event-stream-')).length
}
