// Abort signals and waits. Every wait of this service takes a signal and has a deadline.

import { setTimeout as delay } from 'node:timers/promises'

/** A signal that aborts when any of those given does; undefined ones are skipped. */
export function anySignal(...signals: (AbortSignal | undefined)[]): AbortSignal {
  return AbortSignal.any(signals.filter((signal) => signal !== undefined))
}

/** Resolves after `ms`; rejects with the signal's own reason when that aborts first. */
export async function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, signal && { signal })
  } catch (error) {
    signal?.throwIfAborted()
    throw error
  }
}

/**
 * Settles as `promise` does, unless the signal aborts first: then it rejects with the signal's
 * reason. The work behind the promise continues.
 */
export function raceSignal<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) {
    promise.catch(() => undefined)
    return Promise.reject(signal.reason)
  }
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}

/** Settles with the promise, or resolves after `ms` without it. */
export async function waitAtMost(ms: number, promise: Promise<unknown> | undefined): Promise<void> {
  const settled = new AbortController()
  const timeout = sleep(ms, settled.signal).catch(() => undefined)
  await Promise.race([promise, timeout]).finally(() => settled.abort())
}
