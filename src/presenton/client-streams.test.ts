import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Presenton, PresentonOptions } from './client.ts'
import {
  asShared,
  json,
  longTimeouts,
  openClient,
  openUpstream,
  type Upstream,
} from './fixtures/upstream.ts'
import type { Message } from './messages.ts'

const id = '17db6369-29fb-4099-9d3c-f350de99850d'
const slidesPath = '/api/v1/ppt/presentation/stream/'
const frame = (value: unknown) => `event: response\ndata: ${JSON.stringify(value)}\n\n`
const complete = frame({ type: 'complete', presentation: { id, slides: [{ index: 0 }] } })

let upstream: Upstream
let presenton: Presenton

beforeEach(async () => {
  upstream = await openUpstream()
  presenton = openClient(upstream.url)
})

afterEach(async () => {
  await presenton.close()
  await upstream.waitUntilIdle()
  await upstream.close()
})

async function reconnect(options: Partial<PresentonOptions>) {
  await presenton.close()
  presenton = openClient(upstream.url, options)
}

async function collect(stream: AsyncGenerator<Message[]>): Promise<string[]> {
  const kinds: string[] = []
  for await (const messages of stream) kinds.push(...messages.map(({ type }) => type))
  return kinds
}

describe('A slides stream', () => {
  const startStream = (next: (response: ServerResponse) => unknown) => {
    upstream.handlers[slidesPath] = (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' })
      response.write(frame({ type: 'chunk', chunk: '{' }))
      return next(response)
    }
  }

  it('yields the messages of each read, ends with complete, and closes its connection', async () => {
    startStream((response) => response.write(complete))
    expect(await collect(presenton.streamSlides({ ...asShared, deckId: id }))).toEqual([
      'chunk',
      'complete',
    ])
    await upstream.waitUntilIdle()
  })

  it('fails with a fault if it is cut, ends without complete, or reports an error', async () => {
    const ends: ((response: ServerResponse) => unknown)[] = [
      (response) => response.destroy(),
      (response) => response.end(),
      (response) => response.end(frame({ type: 'error', detail: 'x' })),
    ]
    for (const end of ends) {
      startStream((response) => setTimeout(() => end(response), 20))
      const stream = presenton.streamSlides({ ...asShared, deckId: id })
      expect((await stream.next()).value).toHaveLength(1)
      await expect(stream.next()).rejects.toMatchObject({
        code: 'UPSTREAM_ERROR',
        failure: 'fault',
      })
    }
  })

  it('fails with a timeout if it stalls, before or after its head, or exceeds its deadline', async () => {
    await reconnect({ timeouts: { ...longTimeouts, stallMs: 100 } })
    startStream(() => undefined)
    await expect(
      collect(presenton.streamSlides({ ...asShared, deckId: id })),
    ).rejects.toMatchObject({
      code: 'UPSTREAM_TIMEOUT',
      failure: 'fault',
    })
    upstream.handlers[slidesPath] = () => undefined
    await expect(
      collect(presenton.streamSlides({ ...asShared, deckId: id })),
    ).rejects.toMatchObject({
      code: 'UPSTREAM_TIMEOUT',
      failure: 'fault',
    })
    await reconnect({ timeouts: { ...longTimeouts, streamMs: 100 } })
    startStream((response) => {
      const timer = setInterval(() => response.write(': ping\n\n'), 10)
      response.on('close', () => clearInterval(timer))
    })
    await expect(
      collect(presenton.streamSlides({ ...asShared, deckId: id })),
    ).rejects.toMatchObject({
      code: 'UPSTREAM_TIMEOUT',
      failure: 'fault',
    })
  })

  it('neither stalls because its consumer is busy nor reads ahead of it', async () => {
    await reconnect({ timeouts: { ...longTimeouts, stallMs: 300 } })
    let written = 0
    startStream(async (response) => {
      response.setMaxListeners(0)
      const part = frame({ type: 'chunk', chunk: 'x'.repeat(60_000) })
      for (; written < 400; written++) {
        if (!response.write(part))
          await Promise.race([once(response, 'drain'), once(response, 'close')])
        if (response.destroyed) return
      }
      response.end(complete)
    })
    const stream = presenton.streamSlides({ ...asShared, deckId: id })
    await stream.next()
    await new Promise((resolve) => setTimeout(resolve, 600))
    expect(written).toBeLessThan(300)
    expect((await collect(stream)).at(-1)).toBe('complete')
    expect(written).toBe(400)
  })

  it('closes its connection when its consumer stops or its caller aborts', async () => {
    startStream(() => undefined)
    for await (const _ of presenton.streamSlides({ ...asShared, deckId: id })) break
    await upstream.waitUntilIdle()
    const caller = new AbortController()
    const stream = presenton.streamSlides({ ...asShared, signal: caller.signal, deckId: id })
    await stream.next()
    caller.abort('aborted')
    await upstream.waitUntilIdle()
    await expect(stream.next()).rejects.toBe('aborted')
  })

  it('fails before it starts like any call, and with a fault if it is not an event stream', async () => {
    upstream.handlers[slidesPath] = json({ detail: 'Presentation not found' }, 404)
    await expect(
      collect(presenton.streamSlides({ ...asShared, deckId: id })),
    ).rejects.toMatchObject({
      failure: 'gone',
    })
    upstream.handlers[slidesPath] = json({ detail: 'Presentation not prepared for stream' }, 400)
    await expect(
      collect(presenton.streamSlides({ ...asShared, deckId: id })),
    ).rejects.toMatchObject({
      failure: 'final',
    })
    upstream.handlers[slidesPath] = json({})
    await expect(
      collect(presenton.streamSlides({ ...asShared, deckId: id })),
    ).rejects.toMatchObject({
      failure: 'fault',
    })
  })
})
