// The bearer token of all calls. It is asked for once and renewed when the gateway refuses it; all
// calls that wait share one renewal.

export type Token = string | (() => string | Promise<string>)

export type TokenSource = ReturnType<typeof createTokenSource>

export function createTokenSource(token: Token | undefined) {
  let current: Promise<string> | undefined
  /** What `current` has resolved with. */
  let known: string | undefined

  async function ask(): Promise<string> {
    return typeof token === 'function' ? token() : (token ?? '')
  }

  return {
    /** Undefined where the session cookie authenticates. Rejects when the signal aborts. */
    async read(signal?: AbortSignal): Promise<string | undefined> {
      if (token === undefined) return undefined
      if (!current) {
        const asked = ask()
        current = asked
        known = undefined
        asked.then(
          (value) => {
            if (current === asked) known = value
          },
          // A failed attempt is not kept.
          () => {
            if (current === asked) current = undefined
          },
        )
      }
      return orAborted(current, signal)
    },

    /** After a refusal: whether another token may help, which `read` then returns. */
    renew(refused: string | undefined): boolean {
      if (typeof token !== 'function' || refused === undefined) return false
      // Another call may have renewed it already, or be waiting for another one.
      if (known === refused) current = undefined
      return true
    },
  }
}

/** As `wanted`, but rejects with the signal's reason once it aborts. */
function orAborted<T>(wanted: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return wanted
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason)
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort, { once: true })
    wanted.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}
