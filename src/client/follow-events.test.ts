// Event streams through drops: a recorded stream is cut at every byte, and each event arrives once.

import type { ServerResponse } from 'node:http'
import { afterEach, describe, expect, it } from 'vitest'
import { GatewayError, type PresentationEvent } from './client.ts'
import { type Answer, inTurn, openTestGateway, sendProblem } from './test-gateway.ts'

/** As the gateway writes it: a reconnection time, heartbeats, text beyond ASCII. */
const events = [
  { type: 'queued', position: 1, run: 1 },
  { type: 'stage', attempt: 1, progress: 0.02, run: 1, stage: 'outlines' },
  { type: 'outline_chunk', chunk: '## Brücke – 橋 🌉\n', run: 1, stage: 'outlines' },
  { type: 'from_a_newer_gateway', anything: [1, 2], run: 1 },
  { type: 'complete', presentation: {}, download: null, run: 1 },
]
const frame = (index: number) =>
  `id: ${index + 1}\nevent: response\ndata: ${JSON.stringify(events[index])}\n\n`
const streamAfter = (lastId: number) =>
  Buffer.from(
    `retry: 2000\n\n${events
      .map((_event, index) => `${frame(index)}: \n\n`)
      .slice(lastId)
      .join('')}`,
  )

function beginStream(response: ServerResponse) {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  response.flushHeaders()
}
const lastIdOf = (headers: Record<string, unknown>) => Number(headers['last-event-id'] ?? 0)
/** Everything after the last id that was given. */
const rest: Answer = (response, { headers }) => {
  beginStream(response)
  response.end(streamAfter(lastIdOf(headers)))
}
const nothing: Answer = (response) => {
  beginStream(response)
  response.end('retry: 5000\n\n')
}
const tokenExpired: Answer = (response) => {
  beginStream(response)
  response.end(
    `${frame(0)}event: response\ndata: {"type":"status","status":"Expired.","code":"TOKEN_EXPIRED"}\n\n`,
  )
}

const closers: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})

async function open(answer: Answer) {
  const gateway = await openTestGateway(answer)
  closers.push(gateway.close)
  return gateway
}

async function readAll(stream: AsyncIterable<PresentationEvent>): Promise<PresentationEvent[]> {
  const seen: PresentationEvent[] = []
  for await (const event of stream) seen.push(event)
  return seen
}

const expected = events.map((event, index) => ({ ...event, id: index + 1 }))

describe('a stream', () => {
  it('yields each event with its id, kinds of a newer gateway too, and ends after the last', async () => {
    const gateway = await open(rest)
    expect(await readAll(gateway.client().presentations.events('p1'))).toEqual(expected)
    expect(gateway.received).toMatchObject([
      { path: '/api/v1/presentations/p1/events', headers: { accept: 'text/event-stream' } },
    ])
    expect(gateway.received[0]?.headers).not.toHaveProperty('last-event-id')
  })

  it('continues after a given event', async () => {
    const gateway = await open(rest)
    const stream = gateway.client().presentations.events('p1', { lastEventId: 3 })
    expect(await readAll(stream)).toEqual(expected.slice(3))
  })

  it('is complete wherever the connection is cut, by an end or by a reset', async () => {
    let cutAt = 0
    let isReset = false
    let connections = 0
    const gateway = await open((response, { headers }) => {
      connections += 1
      beginStream(response)
      const bytes = streamAfter(lastIdOf(headers))
      if (connections > 1) return void response.end(bytes)
      const part = bytes.subarray(0, cutAt)
      if (isReset) response.write(part, () => response.destroy())
      else response.end(part)
    })
    const client = gateway.client()
    const length = streamAfter(0).length
    for (cutAt = 1; cutAt < length; cutAt += 1) {
      isReset = cutAt % 2 === 0
      connections = 0
      const seen = await readAll(client.presentations.events('p1'))
      expect(seen, `cut at ${cutAt}`).toEqual(expected)
    }
  })

  it('is over with 204', async () => {
    const gateway = await open((response) => response.writeHead(204).end())
    expect(await readAll(gateway.client().presentations.events('p1', { lastEventId: 5 }))).toEqual(
      [],
    )
  })

  it('reconnects after answers without events and failures that pass, and waits as told', async () => {
    const gateway = await open(
      inTurn(
        nothing,
        (response) => response.writeHead(502).end('<html></html>'),
        (response) => sendProblem(response, 503, 'SHUTTING_DOWN', { 'retry-after': '7' }),
        (response) => void response.destroy(),
        rest,
      ),
    )
    expect(await readAll(gateway.client().presentations.events('p1'))).toEqual(expected)
    expect(gateway.waits).toEqual([5_000, 5_000, 7_000, 7_000])
  })

  it.each([
    [400, 'VALIDATION_FAILED'],
    [403, 'PERMISSION_DENIED'],
    [404, 'NOT_FOUND'],
  ])('throws for %i, which no reconnect solves', async (status, code) => {
    const gateway = await open((response) => sendProblem(response, status, code))
    const error = await readAll(gateway.client().presentations.events('p1')).catch((e) => e)
    expect(error).toBeInstanceOf(GatewayError)
    expect(error).toMatchObject({ status, code })
    expect(gateway.received).toHaveLength(1)
  })

  it("reconnects after an error in JSON that is not the gateway's", async () => {
    const gateway = await open(
      inTurn((response) => {
        response.writeHead(502, { 'content-type': 'application/json' })
        response.end('{"code":502,"message":"bad gateway"}')
      }, rest),
    )
    expect(await readAll(gateway.client().presentations.events('p1'))).toEqual(expected)
  })

  it('gives a resync, and goes on after it', async () => {
    const resync = { type: 'resync', presentation: { id: 'p1', status: 'running' } }
    const gateway = await open(
      inTurn((response) => {
        beginStream(response)
        response.end(`id: 3\nevent: response\ndata: ${JSON.stringify(resync)}\n\n`)
      }, rest),
    )
    const stream = gateway.client().presentations.events('p1', { lastEventId: 999 })
    expect(await readAll(stream)).toEqual([{ ...resync, id: 3 }, ...expected.slice(3)])
    expect(gateway.received[1]?.headers['last-event-id']).toBe('3')
  })

  it('is opened again when it is silent for too long', async () => {
    const gateway = await open(inTurn(beginStream, rest))
    const stream = gateway.client({ silenceMs: 100 }).presentations.events('p1')
    expect(await readAll(stream)).toEqual(expected)
  })

  it('ignores an event that it has given already', async () => {
    const gateway = await open((response) => {
      beginStream(response)
      response.end(frame(0) + frame(1) + frame(1) + frame(4))
    })
    const seen = await readAll(gateway.client().presentations.events('p1'))
    expect(seen.map(({ id }) => id)).toEqual([1, 2, 5])
  })
})

describe('the token of streams', () => {
  it('is renewed once for all streams when it expires, and no event is lost', async () => {
    const gateway = await open((response, received) => {
      const isOld = received.headers.authorization === 'Bearer token-1'
      return isOld ? tokenExpired(response, received) : rest(response, received)
    })
    let asked = 0
    const client = gateway.client({
      token: () => {
        asked += 1
        return `token-${asked}`
      },
    })
    const streams = Array.from({ length: 10 }, (_, n) =>
      readAll(client.presentations.events(`p${n}`)),
    )
    for (const seen of await Promise.all(streams)) expect(seen).toEqual(expected)
    expect(asked).toBe(2)
  })

  it('is renewed after 401, and an error after a second 401', async () => {
    const refused: Answer = (response) => sendProblem(response, 401, 'AUTHENTICATION_FAILED')
    const gateway = await open(inTurn(refused, rest))
    expect(await readAll(gateway.client({ token: () => 't' }).presentations.events('p1'))).toEqual(
      expected,
    )
    const closed = await open(refused)
    const error = await readAll(
      closed.client({ token: () => 't' }).presentations.events('p1'),
    ).catch((e) => e)
    expect(error).toMatchObject({ code: 'AUTHENTICATION_FAILED' })
    expect(closed.received).toHaveLength(2)
  })

  it('that has expired and is given again is an error, not a busy loop', async () => {
    const onlyNotice: Answer = (response) => {
      beginStream(response)
      response.end(
        'event: response\ndata: {"type":"status","status":"","code":"TOKEN_EXPIRED"}\n\n',
      )
    }
    const gateway = await open(onlyNotice)
    const error = await readAll(
      gateway.client({ token: () => 'old' }).presentations.events('p1'),
    ).catch((e) => e)
    expect(error).toMatchObject({ code: 'TOKEN_EXPIRED' })
    expect(gateway.received).toHaveLength(2)
  })
})

describe('leaving a stream', () => {
  it('by break or by abort closes the connection', async () => {
    let open = 0
    let closed: () => void = () => undefined
    const gateway = await openTestGateway((response) => {
      open += 1
      response.once('close', () => {
        open -= 1
        closed()
      })
      beginStream(response)
      response.write(frame(0))
    })
    closers.push(gateway.close)
    const isClosed = () =>
      new Promise<void>((resolve) => {
        closed = resolve
      })
    let closing = isClosed()
    for await (const event of gateway.client().presentations.events('p1')) {
      expect(event.id).toBe(1)
      break
    }
    await closing
    expect(open).toBe(0)

    closing = isClosed()
    const controller = new AbortController()
    const stream = gateway.client().presentations.events('p1', { signal: controller.signal })
    await stream.next()
    const next = stream.next()
    controller.abort(new Error('left the page'))
    await expect(next).rejects.toThrow('left the page')
    await closing
    expect(open).toBe(0)
  })

  it('reads no further than the consumer', async () => {
    const big = 'x'.repeat(64 * 1024)
    let written = 0
    const gateway = await open((response) => {
      beginStream(response)
      function write(): void {
        if (response.destroyed) return
        written += 1
        const data = JSON.stringify({ type: 'chunk', chunk: big, run: 1 })
        if (response.write(`id: ${written}\ndata: ${data}\n\n`)) setImmediate(write)
        else response.once('drain', write)
      }
      write()
    })
    const stream = gateway.client().presentations.events('p1')
    await stream.next()
    // Buffers of sockets and of fetch fill up; then the server can write no more.
    let before = -1
    while (before !== written) {
      before = written
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
    expect(written).toBeLessThan(1_000)
    await stream.return()
  })
})
