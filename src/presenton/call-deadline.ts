// The end that every call has: its caller's signal, its deadline, or a hand of our own, in one
// signal that leaves nothing behind. Written by hand, since `AbortSignal.any` keeps its parts for
// as long as the longest of them lives, and a run's signal lives for hours.

export type CallDeadline = ReturnType<typeof createCallDeadline>

/**
 * Aborts with the caller's reason when `signal` does, or with `onTimeout()` after `ms`. `end` takes
 * listener and timer away.
 */
export function createCallDeadline(signal: AbortSignal, ms: number, onTimeout: () => unknown) {
  const controller = new AbortController()
  const leave = () => abort(signal.reason)
  const timer = setTimeout(() => abort(onTimeout()), ms)
  function end(): void {
    clearTimeout(timer)
    signal.removeEventListener('abort', leave)
  }
  function abort(reason: unknown): void {
    end()
    controller.abort(reason)
  }
  if (signal.aborted) leave()
  else signal.addEventListener('abort', leave, { once: true })
  return { signal: controller.signal, abort, end }
}
