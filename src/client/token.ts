// The bearer token of all calls. It is asked for once and renewed when the gateway refuses it; all
// calls that wait share one renewal.

export type Token = string | (() => string | Promise<string>)

export type TokenSource = ReturnType<typeof createTokenSource>

export function createTokenSource(token: Token | undefined) {
  let current: Promise<string> | undefined

  async function ask(): Promise<string> {
    return typeof token === 'function' ? token() : (token ?? '')
  }

  return {
    /** Undefined where the session cookie authenticates. */
    read(): Promise<string> | undefined {
      if (token === undefined) return undefined
      if (!current) {
        const asked = ask()
        current = asked
        // A failed attempt is not kept.
        asked.catch(() => {
          if (current === asked) current = undefined
        })
      }
      return current
    },

    /** After a refusal: whether another token may help, which `read` then returns. */
    async renew(refused: string | undefined): Promise<boolean> {
      if (typeof token !== 'function' || refused === undefined) return false
      // Another call may have renewed it already.
      if ((await current) === refused) current = undefined
      return true
    },
  }
}
