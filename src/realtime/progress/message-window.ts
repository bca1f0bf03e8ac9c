// At most five messages in any second. A little longer than that second, since clocks of clients
// and networks shift messages.

const maxMessages = 5
const windowMs = 1_050

export type MessageWindow = ReturnType<typeof createMessageWindow>

/** `now` is a clock that is never set, in ms. */
export function createMessageWindow(now: () => number) {
  const sentMs: number[] = []
  return {
    /** How long until a message may be sent. */
    waitMs(): number {
      const first = sentMs.length < maxMessages ? undefined : sentMs[0]
      return first === undefined ? 0 : Math.max(0, first + windowMs - now())
    },
    record() {
      sentMs.push(now())
      if (sentMs.length > maxMessages) sentMs.shift()
    },
  }
}
