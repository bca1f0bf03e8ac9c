// The one LISTEN connection of a process. It comes back by itself, with jittered back-off, and says
// so, since what was notified while it was away is lost; a connection whose other end vanished
// without a word is found by a heartbeat.
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { backoffMs } from '../async/backoff.ts'
import { type Channels, postgresChannel } from './channels.ts'

export interface ListenerOptions {
  url: string
  channels: Pick<Channels, 'receive' | 'reportMissed'>
  onTrouble?: (error: unknown) => void
  /** How often the other end is asked whether it is there; it may take as long to answer. */
  heartbeatMs?: number
}

/** Starts listening (and goes on trying) until closed. */
export function openListener({ url, channels, onTrouble, heartbeatMs = 10_000 }: ListenerOptions) {
  const closing = new AbortController()
  let current: pg.Client | undefined

  async function listenOnce(): Promise<void> {
    const client = new pg.Client({
      connectionString: url,
      connectionTimeoutMillis: 5_000,
      query_timeout: heartbeatMs,
      keepAlive: true,
      application_name: 'presenton-gateway listener',
    })
    current = client
    const ended = new Promise<void>((resolve) => {
      client.on('error', (error) => {
        onTrouble?.(error)
        resolve()
      })
      client.on('end', () => resolve())
    })
    client.on('notification', ({ payload }) => channels.receive(payload ?? ''))
    try {
      await client.connect()
      await client.query(`listen ${postgresChannel}`)
      // Only now nothing is missed any more: everyone looks once.
      channels.reportMissed()
      attempt = 0
      while (!closing.signal.aborted) {
        const beat = new AbortController()
        await Promise.race([
          ended,
          delay(heartbeatMs, undefined, {
            signal: AbortSignal.any([beat.signal, closing.signal]),
          }).catch(() => undefined),
        ])
        beat.abort()
        if (closing.signal.aborted) return
        await client.query('select 1')
      }
    } finally {
      // `end` says goodbye and waits for an answer, which a half-open connection never gives.
      await Promise.race([
        client.end().catch(() => undefined),
        delay(500, undefined, { ref: false }),
      ])
      // biome-ignore lint/suspicious/noExplicitAny: pg offers no other way to let go of a dead socket.
      ;(client as any).connection?.stream?.destroy()
    }
  }

  let attempt = 0
  const done = (async () => {
    while (!closing.signal.aborted) {
      try {
        await listenOnce()
      } catch (error) {
        onTrouble?.(error)
      }
      if (closing.signal.aborted) return
      attempt += 1
      const waitMs = 50 + backoffMs(attempt, { baseMs: 200, maxMs: 5_000 })
      await delay(waitMs, undefined, { signal: closing.signal }).catch(() => undefined)
    }
  })()

  return {
    /** For tests: cuts the connection as a network would. */
    drop() {
      // biome-ignore lint/suspicious/noExplicitAny: as above.
      ;(current as any)?.connection?.stream?.destroy()
    },
    async close() {
      closing.abort()
      await done
    },
  }
}
