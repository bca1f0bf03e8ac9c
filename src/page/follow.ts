// Keeps something followed while the page is awake. A tab may sleep, lose its network, or lie in
// the back/forward cache: connections are closed when it goes, and opened again when it comes back.

import { GatewayError } from '../client/client.ts'
import { isOffline } from './connection.ts'
import { noticeSignedOut } from './session.ts'

const retryMs = 5_000
/** A tab that was hidden for longer may hold connections that are dead without knowing it. */
const longHiddenMs = 30_000

type Run = (signal: AbortSignal) => Promise<void>

const wakers = new Set<() => void>()
const sleepers = new Set<() => void>()
let hiddenAtMs = 0

const wakeAll = () => {
  for (const wake of [...wakers]) wake()
}
isOffline.subscribe((isNow) => {
  if (!isNow) wakeAll()
})
document.addEventListener('resume', wakeAll)
window.addEventListener('pageshow', ({ persisted }) => {
  if (persisted) wakeAll()
})
window.addEventListener('pagehide', () => {
  for (const sleep of [...sleepers]) sleep()
})
document.addEventListener('visibilitychange', () => {
  if (document.visibilityState === 'hidden') hiddenAtMs = Date.now()
  else if (Date.now() - hiddenAtMs > longHiddenMs) wakeAll()
})

/** No event tells that a computer has slept: its timers stood still. */
const tickMs = 10_000
let lastTickMs = Date.now()
setInterval(() => {
  const hasSlept = Date.now() - lastTickMs > tickMs + longHiddenMs
  lastTickMs = Date.now()
  // Timers of hidden tabs are slow on purpose.
  if (hasSlept && document.visibilityState === 'visible') wakeAll()
}, tickMs)

/**
 * Calls `wake` when the page is awake again, and `sleep` before it sleeps. Returns what stops it.
 */
export function onWake(wake: () => void, sleep: () => void = () => undefined): () => void {
  wakers.add(wake)
  sleepers.add(sleep)
  return () => {
    wakers.delete(wake)
    sleepers.delete(sleep)
  }
}

/**
 * Runs until `run` resolves, or fails for a reason that no repetition solves, which `onEnd` gets.
 * `run` continues from what it has seen. `onRetry` gets what is tried again. Returns what stops it.
 */
export function keepFollowing(
  run: Run,
  onEnd?: (error: unknown) => void,
  onRetry?: (error: unknown) => void,
): () => void {
  let current: AbortController | undefined
  let timer: ReturnType<typeof setTimeout> | undefined

  function sleep() {
    clearTimeout(timer)
    current?.abort()
    current = undefined
  }
  function wake() {
    sleep()
    const mine = new AbortController()
    current = mine
    run(mine.signal).then(
      () => current === mine && stop(),
      (error: unknown) => {
        if (current !== mine) return
        const isFinal =
          error instanceof GatewayError &&
          error.status >= 400 &&
          error.status < 500 &&
          error.status !== 408 &&
          error.status !== 429
        if (!isFinal) {
          timer = setTimeout(wake, retryMs)
          onRetry?.(error)
          return
        }
        stop()
        if (!noticeSignedOut(error)) onEnd?.(error)
      },
    )
  }
  const forget = onWake(wake, sleep)
  function stop() {
    sleep()
    forget()
  }
  wake()
  return stop
}
