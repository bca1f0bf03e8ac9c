import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Presenton, PresentonOptions } from './client.ts'
import { asShared, connect, json, openUpstream, type Upstream } from './fixtures/upstream.ts'
import type { Message } from './messages.ts'

const id = '17db6369-29fb-4099-9d3c-f350de99850d'
const slidesPath = '/api/v1/ppt/presentation/stream/'
const frame = (value: unknown) => `event: response\ndata: ${JSON.stringify(value)}\n\n`
const complete = frame({ type: 'complete', presentation: { id, slides: [{ index: 0 }] } })

let upstream: Upstream
let presenton: Presenton

beforeEach(async () => {
  upstream = await openUpstream()
  presenton = connect(upstream.url)
})

afterEach(async () => {
  await presenton.close()
  await upstream.idle()
  await upstream.close()
})

async function reconnect(options: Partial<PresentonOptions>) {
  await presenton.close()
  presenton = connect(upstream.url, options)
}

async function collect(stream: AsyncGenerator<Message[]>): Promise<string[]> {
  const kinds: string[] = []
  for await (const messages of stream) kinds.push(...messages.map(({ type }) => type))
  return kinds
}

const timeouts = {
  createMs: 20_000,
  prepareMs: 20_000,
  exportMs: 20_000,
  stallMs: 20_000,
  streamMs: 20_000,
}

describe('A slide stream', () => {
  const begin = (more: (response: ServerResponse) => unknown) => {
    upstream.answers[slidesPath] = (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' })
      response.write(frame({ type: 'chunk', chunk: '{' }))
      return more(response)
    }
  }

  it('gives the messages of each read, ends with complete, and closes its connection', async () => {
    begin((response) => response.write(complete))
    expect(await collect(presenton.streamSlides({ ...asShared, deckId: id }))).toEqual([
      'chunk',
      'complete',
    ])
    await upstream.idle()
  })

  it('is a fault when it is cut, when it ends without complete, when it reports an error', async () => {
    const ends: ((response: ServerResponse) => unknown)[] = [
      (response) => response.destroy(),
      (response) => response.end(),
      (response) => response.end(frame({ type: 'error', detail: 'x' })),
    ]
    for (const end of ends) {
      begin((response) => setTimeout(() => end(response), 20))
      const stream = presenton.streamSlides({ ...asShared, deckId: id })
      expect((await stream.next()).value).toHaveLength(1)
      await expect(stream.next()).rejects.toMatchObject({
        code: 'UPSTREAM_ERROR',
        failure: 'fault',
      })
    }
  })

  it('is a timeout when it stalls, before or after its head, or is not done in its time', async () => {
    await reconnect({ timeouts: { ...timeouts, stallMs: 100 } })
    begin(() => undefined)
    await expect(
      collect(presenton.streamSlides({ ...asShared, deckId: id })),
    ).rejects.toMatchObject({
      code: 'UPSTREAM_TIMEOUT',
      failure: 'fault',
    })
    upstream.answers[slidesPath] = () => undefined
    await expect(
      collect(presenton.streamSlides({ ...asShared, deckId: id })),
    ).rejects.toMatchObject({
      code: 'UPSTREAM_TIMEOUT',
      failure: 'fault',
    })
    await reconnect({ timeouts: { ...timeouts, streamMs: 100 } })
    begin((response) => {
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

  it('does not stall by a busy consumer, and does not read ahead of it', async () => {
    await reconnect({ timeouts: { ...timeouts, stallMs: 60 } })
    let written = 0
    begin(async (response) => {
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
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect(written).toBeLessThan(300)
    expect((await collect(stream)).at(-1)).toBe('complete')
    expect(written).toBe(400)
  })

  it('leaves no connection when its consumer leaves or its caller aborts', async () => {
    begin(() => undefined)
    for await (const _ of presenton.streamSlides({ ...asShared, deckId: id })) break
    await upstream.idle()
    const leaving = new AbortController()
    const stream = presenton.streamSlides({ ...asShared, signal: leaving.signal, deckId: id })
    await stream.next()
    leaving.abort('enough')
    await upstream.idle()
    await expect(stream.next()).rejects.toBe('enough')
  })

  it('is refused before it begins like any call, and is a fault when it is no event stream', async () => {
    upstream.answers[slidesPath] = json({ detail: 'Presentation not found' }, 404)
    await expect(
      collect(presenton.streamSlides({ ...asShared, deckId: id })),
    ).rejects.toMatchObject({
      failure: 'gone',
    })
    upstream.answers[slidesPath] = json({ detail: 'Presentation not prepared for stream' }, 400)
    await expect(
      collect(presenton.streamSlides({ ...asShared, deckId: id })),
    ).rejects.toMatchObject({
      failure: 'final',
    })
    upstream.answers[slidesPath] = json({})
    await expect(
      collect(presenton.streamSlides({ ...asShared, deckId: id })),
    ).rejects.toMatchObject({
      failure: 'fault',
    })
  })
})
