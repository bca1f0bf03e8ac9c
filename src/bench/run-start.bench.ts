// From a brief's 202 to its run's first `stage` event in its reader's hands, on an idle system: the
// claim, the stage's own commit, and the opening of the stream. Peer: one INSERT and a NOTIFY, to
// its arrival on another connection. Target: p50 ≤ 5 ms, p95 ≤ 10 ms. Beside it, from the 202 to
// the arrival of the run's first call upstream.
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { nowMs } from './beats.ts'
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
    const shown: number[] = []
    const called: number[] = []
    const peer: number[] = []
    try {
      for (let n = 0; n < (isQuick ? 12 : 100); n += 1) {
        peer.push(await roundTrip())
        const [shownMs, calledMs] = await startOf()
        shown.push(shownMs)
        called.push(calledMs)
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

    /**
     * As light as a reader can be: what it costs itself is not to be measured. Resolves once the
     * text has come.
     */
    function openUntil({ hostname, port, pathname, host }: URL, text: string): Promise<Socket> {
      return new Promise((resolve, reject) => {
        const socket = connect({ host: hostname, port: Number(port), noDelay: true })
        let read = ''
        socket.setEncoding('utf8').once('error', reject).once('close', reject)
        socket.write(
          `GET ${pathname} HTTP/1.1\r\nhost: ${host}\r\nauthorization: Bearer ${token}\r\n\r\n`,
        )
        socket.on('data', (piece: string) => {
          read += piece
          if (read.includes(text)) resolve(socket)
        })
      })
    }

    async function startOf(): Promise<[shownMs: number, calledMs: number]> {
      const { createRequestsMs: before } = await ground.upstream.streams()
      const id = await accept(gateway.url, token, { outlines: ['The bridge'] })
      const since = nowMs()
      const reader = await openUntil(
        new URL(`${gateway.url}/api/v1/presentations/${id}/events`),
        '"type":"stage"',
      )
      const shownMs = nowMs() - since
      let asked: number | undefined
      while (asked === undefined)
        asked = (await ground.upstream.streams()).createRequestsMs[before.length]
      reader.destroy()
      await fetch(`${gateway.url}/api/v1/presentations/${id}/cancel`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}` },
      })
      return [shownMs, asked - since]
    }

    // The first ones warm up.
    const at = (values: number[], share: number) => percentile(values.slice(5), share)
    const shared = { peerName: 'INSERT + NOTIFY', unit: ms }
    const row = (label: string, share: number, atMost: number) =>
      judge({
        measure: `202 to first stage event, idle, ${label}`,
        ...{
          ...shared,
          own: at(shown, share),
          peer: at(peer, share),
          target: `≤ ${atMost} ms`,
          atMost,
        },
      })
    const call = (label: string, share: number) =>
      judge({
        measure: `202 to first call upstream, idle, ${label}`,
        ...{ ...shared, own: at(called, share), peer: at(peer, share), target: 'stated' },
      })
    return [row('p50', 0.5, 5), row('p95', 0.95, 10), call('p50', 0.5), call('p95', 0.95)]
  },
}
