// Closing a dedicated connection whose server may not respond any more.
import type pg from 'pg'
import { sleep } from '../async/signals.ts'

/** Closes the socket at once, without the protocol's Terminate message. */
export function destroySocket(client: pg.Client): void {
  // biome-ignore lint/suspicious/noExplicitAny: pg has no public way to close only the socket.
  ;(client as any).connection?.stream?.destroy()
}

/** Closes the connection; closes only its socket when the server does not confirm in time. */
export async function endClient(client: pg.Client, timeoutMs: number): Promise<void> {
  const ended = new AbortController()
  const timeout = sleep(timeoutMs, ended.signal).catch(() => undefined)
  await Promise.race([client.end().catch(() => undefined), timeout])
  ended.abort()
  destroySocket(client)
}
