// One signal for every way in which a call ends early: its caller aborts, its time is up, or the
// gateway aborts it. `AbortSignal.any` would keep its parts alive until the longest-lived one ends,
// and a run's signal lives for hours.

export type CallDeadline = ReturnType<typeof createCallDeadline>

interface CallDeadlineOptions {
  signal: AbortSignal
  timeoutMs: number
  /** Returns the reason with which the deadline aborts after `timeoutMs`. */
  onTimeout(): unknown
}

/** `clear` removes the timer and the listener; call it when the call is done. */
export function createCallDeadline({ signal, timeoutMs, onTimeout }: CallDeadlineOptions) {
  const controller = new AbortController()
  const onCallerAbort = () => abort(signal.reason)
  const timer = setTimeout(() => abort(onTimeout()), timeoutMs)

  function clear(): void {
    clearTimeout(timer)
    signal.removeEventListener('abort', onCallerAbort)
  }
  function abort(reason: unknown): void {
    clear()
    controller.abort(reason)
  }

  if (signal.aborted) onCallerAbort()
  else signal.addEventListener('abort', onCallerAbort, { once: true })
  return { signal: controller.signal, abort, clear }
}
