// Closing a dedicated connection whose server may not respond any more.
import type pg from 'pg'
import { sleep } from '../async/signals.ts'

/** Cuts the connection at once, without a word to the server. */
export function destroySocket(client: pg.Client): void {
  // biome-ignore lint/suspicious/noExplicitAny: pg has no public way to cut a connection.
  ;(client as any).connection?.stream?.destroy()
}

/** Closes the connection; cuts it when the server has not confirmed in time. */
export async function endClient(client: pg.Client, timeoutMs: number): Promise<void> {
  const ended = new AbortController()
  const timeout = sleep(timeoutMs, ended.signal).catch(() => undefined)
  await Promise.race([client.end().catch(() => undefined), timeout])
  ended.abort()
  destroySocket(client)
}
