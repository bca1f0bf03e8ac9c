// From a brief's 202 to its run's first `stage` event in its reader's hands, on an idle system: the claim, the stage's own commit, and
// the opening of the stream. Peer: one INSERT and a NOTIFY, to its arrival on another connection. Target: p50 ≤ 5 ms, p95 ≤ 10 ms.
import { once } from 'node:events'
import { judge, type Measure, ms, percentile } from './measure.ts'
import { accept } from './runs.ts'

export const runStart: Measure = {
  name: 'run-start',
  async run(ground, { isQuick }) {
    const gateway = await ground.startGateway({ database: 'starting' })
    const [writer, listener] = [await ground.connect('starting'), await ground.connect('starting')]
    await writer.query('create table bare (id uuid primary key, body text not null)')
    await listener.query('listen bare')
    const token = await ground.token()
    const own: number[] = []
    const peer: number[] = []
    try {
      for (let n = 0; n < (isQuick ? 12 : 100); n += 1) {
        peer.push(await roundTrip())
        own.push(await startOf())
        // Idle again: what the run before still does is not to be met.
        await new Promise((resolve) => setTimeout(resolve, 60))
      }
    } finally {
      await Promise.all([writer.end(), listener.end()])
      await gateway.end()
    }

    async function roundTrip(): Promise<number> {
      const heard = once(listener, 'notification')
      const since = performance.now()
      await writer.query('insert into bare (id, body) values (gen_random_uuid(), $1)', ['a brief'])
      await writer.query('notify bare')
      await heard
      return performance.now() - since
    }

    async function startOf(): Promise<number> {
      const id = await accept(gateway.url, token, { outlines: ['The bridge'] })
      const since = performance.now()
      const stop = new AbortController()
      const { body } = await fetch(`${gateway.url}/api/v1/presentations/${id}/events`, {
        headers: { authorization: `Bearer ${token}` },
        signal: stop.signal,
      })
      const decoder = new TextDecoder()
      let text = ''
      for await (const bytes of body ?? []) {
        text += decoder.decode(bytes as Uint8Array)
        if (text.includes('"type":"stage"')) break
      }
      const took = performance.now() - since
      stop.abort()
      await fetch(`${gateway.url}/api/v1/presentations/${id}/cancel`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}` },
      })
      return took
    }

    // The first ones warm up.
    const at = (values: number[], share: number) => percentile(values.slice(5), share)
    const row = (label: string, share: number, atMost: number) =>
      judge({
        measure: `202 to first stage event, idle, ${label}`,
        ...{
          own: at(own, share),
          peer: at(peer, share),
          peerName: 'INSERT + NOTIFY',
          unit: ms,
          target: `≤ ${atMost} ms`,
          atMost,
        },
      })
    return [row('p50', 0.5, 5), row('p95', 0.95, 10)]
  },
}
