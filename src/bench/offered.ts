// Requests offered at a fixed rate, whether or not the ones before were answered, as people send
// them. Each is timed from the moment at which it was due, so that a server that falls behind
// cannot hide it.
import { Agent, request } from 'undici'

export interface Offer {
  url: string
  headers?: Record<string, string>
  body: string
  perSecond: number
  count: number
}

/** The times of all answers, in ms. Rejects when one is not 202. */
export async function offer({
  url,
  headers = {},
  body,
  perSecond,
  count,
}: Offer): Promise<number[]> {
  const dispatcher = new Agent({ connections: 200 })
  const times: number[] = []
  const wrong: string[] = []
  const under: Promise<void>[] = []
  const startMs = performance.now() + 50
  async function send(dueMs: number): Promise<void> {
    const { statusCode, body: answer } = await request(url, {
      ...{ method: 'POST', body, dispatcher },
      headers: { 'content-type': 'application/json', ...headers },
    })
    const text = await answer.text()
    times.push(performance.now() - dueMs)
    if (statusCode !== 202) wrong.push(`${statusCode} ${text}`)
  }
  for (let sent = 0; sent < count; ) {
    const due = Math.min(count, Math.floor(((performance.now() - startMs) * perSecond) / 1000))
    for (; sent < due; sent += 1) under.push(send(startMs + ((sent + 1) * 1000) / perSecond))
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  await Promise.all(under)
  await dispatcher.close()
  if (wrong.length > 0)
    throw new Error(`${wrong.length} of ${count} were refused, the first with ${wrong[0]}`)
  return times
}
