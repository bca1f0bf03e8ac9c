// The one LISTEN connection of a process. It reconnects with jittered backoff and reports each
// interruption, because notifications were lost. A heartbeat finds a dead connection.
import { backoffMs } from '../async/backoff.ts'
import { anySignal, sleep } from '../async/signals.ts'
import { openAddress } from './address.ts'
import { type Channels, postgresChannel } from './channels.ts'
import { endClient } from './pg-client.ts'

export interface ListenerOptions {
  url: string
  channels: Pick<Channels, 'receive' | 'reportMissed'>
  onError?: (error: unknown) => void
  /** The interval of heartbeats, and how long the server may take to respond to one. */
  heartbeatMs?: number
}

const connectTimeoutMs = 5_000
const closeTimeoutMs = 500
const minWaitMs = 50
const backoff = { baseMs: 200, maxMs: 5_000 }

/** Starts to listen, and reconnects until it is closed. */
export function openListener({ url, channels, onError, heartbeatMs = 10_000 }: ListenerOptions) {
  const closing = new AbortController()
  const address = openAddress(url)
  /** Attempts since the last connection. */
  let attempts = 0

  /** Listens until the connection breaks (then it rejects) or the listener is closed. */
  async function listen(): Promise<void> {
    const client = address.createClient('presenton-gateway listener', {
      connectionTimeoutMillis: connectTimeoutMs,
      query_timeout: heartbeatMs,
      keepAlive: true,
    })
    const broken = new AbortController()
    client.on('error', (error) => {
      onError?.(error)
      broken.abort()
    })
    client.on('end', () => broken.abort())
    client.on('notification', ({ payload }) => channels.receive(payload ?? ''))
    try {
      await client.connect()
      await client.query(`listen ${postgresChannel}`)
      // Only from now on no notification is missed, so subscribers check once for themselves.
      channels.reportMissed()
      attempts = 0
      const wake = anySignal(broken.signal, closing.signal)
      while (!closing.signal.aborted) {
        await sleep(heartbeatMs, wake).catch(() => undefined)
        // On a broken connection this rejects.
        if (!closing.signal.aborted) await client.query('select 1')
      }
    } finally {
      await endClient(client, closeTimeoutMs)
    }
  }

  async function listenUntilClosed(): Promise<void> {
    while (!closing.signal.aborted) {
      await listen().catch((error: unknown) => {
        address.fallBack(error)
        onError?.(error)
      })
      attempts += 1
      const waitMs = minWaitMs + backoffMs(attempts, backoff)
      await sleep(waitMs, closing.signal).catch(() => undefined)
    }
  }

  const done = listenUntilClosed()
  return {
    async close(): Promise<void> {
      closing.abort()
      await done
    },
  }
}
