// Time from a brief's 202 to the run's first `stage` event at a reader, on an idle system, and to
// its first request to upstream. Peer: one INSERT and a NOTIFY to another connection. Target for
// the event: p50 ≤ 5 ms, p95 ≤ 10 ms.
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { type Benchmark, createResult, ms, percentile } from './benchmark.ts'
import { postBrief } from './runs.ts'
import { nowMs } from './timestamps.ts'

const database = 'starting'
const warmUpRuns = 5

export const runStart: Benchmark = {
  name: 'run-start',
  async run(environment, { isQuick }) {
    const gateway = await environment.startGateway({ database })
    const [writer, listener] = [
      await environment.connect(database),
      await environment.connect(database),
    ]
    await writer.query('create table bare (id uuid primary key, body text not null)')
    await listener.query('listen bare')
    const token = await environment.token()
    const stageMs: number[] = []
    const requestMs: number[] = []
    const peerMs: number[] = []
    try {
      for (let n = 0; n < (isQuick ? 12 : 100); n += 1) {
        peerMs.push(await measureNotification())
        const run = await measureRun()
        stageMs.push(run.stageMs)
        requestMs.push(run.requestMs)
        // The cancelled run still has some work to do.
        await new Promise((resolve) => setTimeout(resolve, 60))
      }
    } finally {
      await Promise.all([writer.end(), listener.end()])
      await gateway.stop()
    }

    async function measureNotification(): Promise<number> {
      const notification = once(listener, 'notification')
      const since = performance.now()
      await writer.query('insert into bare (id, body) values (gen_random_uuid(), $1)', ['a brief'])
      await writer.query('notify bare')
      await notification
      return performance.now() - since
    }

    /** Resolves once the stream contains the text. A bare socket, so that reading costs little. */
    function readUntil({ hostname, port, pathname, host }: URL, text: string): Promise<Socket> {
      return new Promise((resolve, reject) => {
        const socket = connect({ host: hostname, port: Number(port), noDelay: true })
        let received = ''
        socket.setEncoding('utf8').once('error', reject).once('close', reject)
        socket.write(
          `GET ${pathname} HTTP/1.1\r\nhost: ${host}\r\nauthorization: Bearer ${token}\r\n\r\n`,
        )
        socket.on('data', (chunk: string) => {
          received += chunk
          if (received.includes(text)) resolve(socket)
        })
      })
    }

    async function measureRun(): Promise<{ stageMs: number; requestMs: number }> {
      const { createRequestsMs: earlier } = await environment.upstream.readState()
      const id = await postBrief(gateway.url, token, { outlines: ['The bridge'] })
      const since = nowMs()
      const url = `${gateway.url}/api/v1/presentations/${id}`
      const reader = await readUntil(new URL(`${url}/events`), '"type":"stage"')
      const stageAfterMs = nowMs() - since
      let requestedAtMs: number | undefined
      while (requestedAtMs === undefined)
        requestedAtMs = (await environment.upstream.readState()).createRequestsMs[earlier.length]
      reader.destroy()
      const headers = { authorization: `Bearer ${token}` }
      await fetch(`${url}/cancel`, { method: 'POST', headers })
      return { stageMs: stageAfterMs, requestMs: requestedAtMs - since }
    }

    const figureOf = (values: number[], share: number) =>
      percentile(values.slice(warmUpRuns), share)
    const figure = (values: number[], share: number) => ({
      own: figureOf(values, share),
      peer: figureOf(peerMs, share),
      peerName: 'INSERT + NOTIFY',
      format: ms,
    })
    const stageRow = (label: string, share: number, atMost: number) =>
      createResult({
        ...figure(stageMs, share),
        measure: `202 to first stage event, idle, ${label}`,
        target: `≤ ${atMost} ms`,
        atMost,
      })
    const requestRow = (label: string, share: number) =>
      createResult({
        ...figure(requestMs, share),
        measure: `202 to first upstream request, idle, ${label}`,
        target: 'stated',
      })
    return [
      stageRow('p50', 0.5, 5),
      stageRow('p95', 0.95, 10),
      requestRow('p50', 0.5),
      requestRow('p95', 0.95),
    ]
  },
}
