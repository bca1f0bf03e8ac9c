// Sends requests at a fixed rate, whether or not earlier ones have a response, as independent users
// do. Each is timed from the moment it was due, so that a server cannot hide that it falls behind.
import { Agent, request } from 'undici'

export interface FixedRateLoad {
  url: string
  headers?: Record<string, string>
  body: string
  perSecond: number
  count: number
}

/** Resolves with the response times in ms. Rejects when a response is not 202. */
export async function sendAtFixedRate({
  url,
  headers = {},
  body,
  perSecond,
  count,
}: FixedRateLoad): Promise<number[]> {
  const dispatcher = new Agent({ connections: 200 })
  const responseTimesMs: number[] = []
  const errors: string[] = []
  const pending: Promise<void>[] = []
  const startMs = performance.now() + 50
  async function send(dueMs: number): Promise<void> {
    const response = await request(url, {
      method: 'POST',
      body,
      dispatcher,
      headers: { 'content-type': 'application/json', ...headers },
    })
    const text = await response.body.text()
    responseTimesMs.push(performance.now() - dueMs)
    if (response.statusCode !== 202) errors.push(`${response.statusCode} ${text}`)
  }
  for (let sent = 0; sent < count; ) {
    const due = Math.min(count, Math.floor(((performance.now() - startMs) * perSecond) / 1000))
    for (; sent < due; sent += 1) pending.push(send(startMs + ((sent + 1) * 1000) / perSecond))
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  await Promise.all(pending)
  await dispatcher.close()
  if (errors.length > 0)
    throw new Error(`${errors.length} of ${count} requests failed, the first with ${errors[0]}`)
  return responseTimesMs
}
