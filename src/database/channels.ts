// Channels carry hints that something changed. Subscribers in this process get them at once, other
// replicas by NOTIFY. A lost hint costs one poll at most, because the tables hold the truth.

import { EventEmitter } from 'node:events'
import type { Database } from './connection.ts'
import type { LoggedEvent } from './event-log.ts'

/** The channels and their messages. A new channel is one entry here and one in `remoteForms`. */
export interface ChannelMessages {
  /** The log of presentation `id` has grown to `seq`. `committed` stays inside this process. */
  log: { id: string; seq: number; committed?: LoggedEvent[] }
  /** The status of presentation `id` has changed. */
  status: { id: string }
  /** A run may be claimable. */
  queue: Record<never, never>
  /** The lease of presentation `id` was revoked. */
  revoked: { id: string }
  /** Sessions of the slide maker of user `id` have ended. */
  maker_sessions: { id: string }
  /** A delivery of a webhook is due. */
  webhook: Record<never, never>
  /** A notification was written into the channel `id` of notifications. */
  notification: { id: string }
  /** A user has read or deleted notifications. Each message has an `id` of its own. */
  notification_change: {
    id: string
    userId: string
    change: 'read' | 'read-up-to' | 'deleted'
    notificationId: string
    unread: number
    /** The connection over which it was done. */
    connectionId?: string | undefined
  }
}

export type ChannelName = keyof ChannelMessages
type Listener<C extends ChannelName> = (message: ChannelMessages[C]) => void

/** What other replicas get of a message. */
const remoteForms: { [C in ChannelName]: (message: ChannelMessages[C]) => object } = {
  log: ({ id, seq }) => ({ id, seq }),
  status: ({ id }) => ({ id }),
  queue: () => ({}),
  revoked: ({ id }) => ({ id }),
  maker_sessions: ({ id }) => ({ id }),
  webhook: () => ({}),
  notification: ({ id }) => ({ id }),
  notification_change: (message) => message,
}

const isChannelName = (name: unknown): name is ChannelName =>
  typeof name === 'string' && Object.hasOwn(remoteForms, name)

export type Channels = ReturnType<typeof createChannels>

/** The name for LISTEN and NOTIFY. */
export const postgresChannel = 'gateway'

/** Emitted when hints may have been missed. */
const missed = Symbol('missed')

// NOTIFY inside the writing transaction takes an instance-wide lock at commit. Sent after it, at
// most every 10 ms, it costs at most a hundred statements a second however much is written.
const coalesceMs = 10

/** `database` sends to other replicas; without one (tests) messages stay inside the process. */
export function createChannels(
  database: Pick<Database, 'query'> | undefined,
  origin: string = crypto.randomUUID().slice(0, 8),
) {
  const emitter = new EventEmitter()
  emitter.setMaxListeners(0)
  /** The latest message of each channel and presentation that was not sent yet. */
  let pending = new Map<string, string>()
  let timer: NodeJS.Timeout | undefined
  let sending: Promise<unknown> | undefined
  let lastSentMs = 0
  let isClosed = false

  /** One statement at a time, so that hints never fill the pool of a slow database. */
  function send() {
    timer = undefined
    if (pending.size === 0 || !database) return
    const payloads = [...pending.values()]
    // A new map: clearing the old one would keep its grown table alive.
    pending = new Map()
    sending = database
      .query('select pg_notify($1, payload) from unnest($2::text[]) payload', [
        postgresChannel,
        payloads,
      ])
      // Subscribers poll as well.
      .catch(() => undefined)
      .finally(() => {
        sending = undefined
        lastSentMs = performance.now()
        if (!isClosed && pending.size > 0) schedule()
      })
  }

  function schedule() {
    const delayMs = Math.max(0, lastSentMs + coalesceMs - performance.now())
    if (!sending) timer ??= setTimeout(send, delayMs)
  }

  function subscribe<C extends ChannelName>(channel: C, listener: Listener<C>): () => void {
    emitter.on(channel, listener)
    return () => void emitter.off(channel, listener)
  }

  return {
    /** Calls `listener` for each message until the returned function is called. */
    subscribe,

    /** Calls `listener` after hints may have been missed: subscribers then check for themselves. */
    subscribeMissed(listener: () => void): () => void {
      emitter.on(missed, listener)
      return () => void emitter.off(missed, listener)
    },

    publish<C extends ChannelName>(channel: C, message: ChannelMessages[C]): void {
      emitter.emit(channel, message)
      if (isClosed || !database) return
      const { id = '' } = message as { id?: string }
      const payload = JSON.stringify({ origin, channel, ...remoteForms[channel](message) })
      pending.set(`${channel} ${id}`, payload)
      schedule()
    },

    /** Takes a payload of NOTIFY from any replica. Own and malformed ones are ignored. */
    receive(payload: string): void {
      const { origin: from, channel, ...message } = parsePayload(payload)
      if (from === origin || !isChannelName(channel)) return
      if (channel === 'log' && !Number.isSafeInteger(message.seq)) return
      emitter.emit(channel, remoteForms[channel](message as never))
    },

    /** To be called when the listening connection was interrupted. */
    reportMissed: () => void emitter.emit(missed),

    /** Sends what is pending: other replicas must learn at once of released runs. */
    async close(): Promise<void> {
      isClosed = true
      clearTimeout(timer)
      emitter.removeAllListeners()
      await sending
      send()
      await sending
    },
  }
}

function parsePayload(payload: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(payload)
    return typeof value === 'object' && value !== null ? { ...value } : {}
  } catch {
    return {}
  }
}
