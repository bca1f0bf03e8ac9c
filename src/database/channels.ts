// Wakes: hints that there may be news. Inside this process they arrive at once; other replicas get
// them by NOTIFY, and a lost one costs only a poll, because the tables are the truth. `listener.ts`
// receives what others send.
import { EventEmitter } from 'node:events'
import type { Database } from './connection.ts'
import type { LoggedEvent } from './event-log.ts'

/**
 * `events`: the log `id` has grown to `seq`; by `committed`, when that was in this process.
 * `settled`: `id` left the states in which it is worked on (or came to them). `queue`: something
 * may be claimable. `revoked`: the lease of `id` was taken away. `all`: notifications may have been
 * missed.
 */
interface WakeMap {
  events: [id: string, seq: number, committed?: LoggedEvent[]]
  settled: [id: string]
  queue: []
  revoked: [id: string]
  all: []
}

export type Channels = ReturnType<typeof createChannels>

export const postgresChannel = 'gateway'

// A NOTIFY inside the writing transaction takes an instance-wide lock at commit; sent after it and
// gathered over this time, a busy replica sends at most a hundred statements a second however many
// events it writes.
const gatherMs = 10

/** `database` sends; without one (tests) wakes stay inside the process. */
export function createChannels(
  database: Pick<Database, 'query'> | undefined,
  origin: string = crypto.randomUUID().slice(0, 8),
) {
  const emitter = new EventEmitter<WakeMap>()
  emitter.setMaxListeners(0)
  let pending = new Map<string, string>()
  let timer: NodeJS.Timeout | undefined
  let sending: Promise<unknown> | undefined
  let lastSent = 0
  let closed = false

  /** One statement at a time: a slow database must not find its pool full of hints. */
  function send() {
    timer = undefined
    if (pending.size === 0 || !database) return
    const payloads = [...pending.values()]
    // A cleared map points to the table it goes on with: one that has grown old would keep alive
    // what it held no more.
    pending = new Map()
    sending = database
      .query('select pg_notify($1, payload) from unnest($2::text[]) payload', [
        postgresChannel,
        payloads,
      ])
      // A lost hint is no loss: whoever waits polls as well.
      .catch(() => undefined)
      .finally(() => {
        sending = undefined
        lastSent = performance.now()
        if (!closed && pending.size > 0) plan()
      })
  }

  function plan() {
    if (!sending) timer ??= setTimeout(send, Math.max(0, lastSent + gatherMs - performance.now()))
  }

  function notify(key: string, payload: string) {
    if (closed || !database) return
    pending.set(key, `${origin}:${payload}`)
    plan()
  }

  return {
    on: emitter.on.bind(emitter) as typeof emitter.on,
    off: emitter.off.bind(emitter) as typeof emitter.off,
    events(id: string, seq: number, committed?: LoggedEvent[]) {
      emitter.emit('events', id, seq, committed)
      notify(`e${id}`, `e:${id}:${seq}`)
    },
    settled(id: string) {
      emitter.emit('settled', id)
      notify(`s${id}`, `s:${id}`)
    },
    queue() {
      emitter.emit('queue')
      notify('q', 'q')
    },
    revoked(id: string) {
      emitter.emit('revoked', id)
      notify(`r${id}`, `r:${id}`)
    },
    /**
     * What the listener calls for each notification, and (`undefined`) after it was deaf for a
     * while.
     */
    receive(payload: string | undefined) {
      if (payload === undefined) return emitter.emit('all')
      const [from, kind, id = '', seq = ''] = payload.split(':')
      if (from === origin) return undefined
      if (kind === 'e') return emitter.emit('events', id, Number(seq))
      if (kind === 's') return emitter.emit('settled', id)
      if (kind === 'q') return emitter.emit('queue')
      if (kind === 'r') return emitter.emit('revoked', id)
      return undefined
    },
    /** Sends what is still to be sent: runs that were handed back are to be found at once. */
    async close(): Promise<void> {
      closed = true
      clearTimeout(timer)
      emitter.removeAllListeners()
      await sending
      send()
      await sending
    },
  }
}
