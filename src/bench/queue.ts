// Keeps the gateway's queue short while a benchmark without a worker fills it.
import type pg from 'pg'

const intervalMs = 200

/** Marks queued presentations as completed, five times a second. `stop` ends the client, too. */
export function emptyQueueRegularly(client: pg.Client) {
  const timer = setInterval(() => {
    void client
      .query(
        `update gateway.presentations set status = 'completed', ended_at = now() where status = 'queued'`,
      )
      .catch(() => undefined)
  }, intervalMs)
  return {
    async stop() {
      clearInterval(timer)
      await client.end()
    },
  }
}
