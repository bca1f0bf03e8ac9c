import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { type AddressInfo, createServer } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { CallMeasurement } from './call-metrics.ts'
import type { Presenton, PresentonOptions } from './client.ts'
import {
  asShared,
  json,
  longTimeouts,
  openapi,
  openClient,
  openUpstream,
  type Upstream,
} from './fixtures/upstream.ts'

const id = '17db6369-29fb-4099-9d3c-f350de99850d'
const brief = {
  content: 'A talk',
  nSlides: 3,
  language: 'English',
  tone: 'default',
  verbosity: 'standard',
  includeTitleSlide: true,
  includeTableOfContents: false,
  webSearch: false,
}
const createPath = '/api/v1/ppt/presentation/create'

let upstream: Upstream
let presenton: Presenton

beforeEach(async () => {
  upstream = await openUpstream({ [createPath]: json({ id }) })
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

describe('A call to Presenton', () => {
  it('sends the brief, and no headers but its own', async () => {
    expect(
      await presenton.createDeck({ ...asShared, brief: { ...brief, instructions: 'short' } }),
    ).toMatchObject({
      deckId: id,
    })
    const [request] = upstream.requestsTo(createPath)
    expect(JSON.parse(request?.body ?? '')).toEqual({
      content: 'A talk',
      n_slides: 3,
      language: 'English',
      tone: 'default',
      verbosity: 'standard',
      instructions: 'short',
      include_title_slide: true,
      include_table_of_contents: false,
      web_search: false,
    })
    const ownHeaders = [
      'accept',
      'accept-encoding',
      'connection',
      'content-length',
      'content-type',
      'host',
      'user-agent',
    ]
    expect(Object.keys(request?.headers ?? {}).sort()).toEqual(ownHeaders)
  })

  it.each([
    ['a refused connection', 'http://127.0.0.1:1'],
    ['a host that cannot be resolved', 'http://presenton.invalid'],
  ])('rejects with an outage for %s', async (_, url) => {
    const unreachable = openClient(url)
    await expect(unreachable.createDeck({ ...asShared, brief })).rejects.toMatchObject({
      code: 'UPSTREAM_UNAVAILABLE',
      failure: 'outage',
    })
    await unreachable.close()
  })

  it('rejects with a fault if the connection breaks after the request, which may have been executed', async () => {
    upstream.handlers[createPath] = (response) => response.destroy()
    await expect(presenton.createDeck({ ...asShared, brief })).rejects.toMatchObject({
      code: 'UPSTREAM_ERROR',
      failure: 'fault',
    })
    expect(upstream.requestsTo(createPath)).toHaveLength(1)
  })

  it.each([
    ['HTML', (response: ServerResponse) => response.end('<html>')],
    ['another object', json({ name: 'x' })],
    ['a deck whose id is a path', json({ id: '../../x' })],
    ['a redirect', (response: ServerResponse) => response.writeHead(302, { location: '/x' }).end()],
  ])('rejects with a fault for a response that is %s', async (_, handler) => {
    upstream.handlers[createPath] = handler
    await expect(presenton.createDeck({ ...asShared, brief })).rejects.toMatchObject({
      code: 'UPSTREAM_ERROR',
      failure: 'fault',
    })
    expect(upstream.requestsTo('/x')).toEqual([])
  })

  it('rejects with a fault for a response over the bound', async () => {
    await reconnect({ maxMessageBytes: 1000 })
    upstream.handlers['/openapi.json'] = json({ ...openapi(), x: 'x'.repeat(2000) })
    await expect(presenton.createDeck({ ...asShared, brief })).rejects.toMatchObject({
      code: 'UPSTREAM_ERROR',
      failure: 'fault',
    })
  })

  it('rejects with a timeout at its deadline', async () => {
    await reconnect({ timeouts: { ...longTimeouts, createMs: 100 } })
    upstream.handlers[createPath] = () => undefined
    await expect(presenton.createDeck({ ...asShared, brief })).rejects.toMatchObject({
      code: 'UPSTREAM_TIMEOUT',
      failure: 'fault',
    })
    expect(upstream.requests).toHaveLength(3)
  })

  it("rejects with the reason of its caller's abort, closes its connection, and leaves other calls alone", async () => {
    const caller = new AbortController()
    upstream.handlers[createPath] = (response, { body }) =>
      body.includes('other deck')
        ? setTimeout(() => json({ id })(response, {} as never), 50)
        : undefined
    const other = presenton.createDeck({ ...asShared, brief: { ...brief, content: 'other deck' } })
    const aborted = presenton.createDeck({ ...asShared, signal: caller.signal, brief })
    await upstream.waitUntil(() => upstream.requestsTo(createPath).length === 2)
    caller.abort('aborted')
    await expect(aborted).rejects.toBe('aborted')
    expect(await other).toMatchObject({ deckId: id })
  })

  it('sends nothing if its signal is already aborted', async () => {
    await expect(
      presenton.createDeck({ ...asShared, signal: AbortSignal.abort('aborted'), brief }),
    ).rejects.toBe('aborted')
    expect(upstream.requests).toEqual([])
  })

  it('can be aborted while it is connecting', async () => {
    const silent = createServer().listen(0, '127.0.0.1')
    await once(silent, 'listening')
    // The TLS handshake gets no reply.
    const connecting = openClient(`https://127.0.0.1:${(silent.address() as AddressInfo).port}`)
    const caller = new AbortController()
    const call = connecting.ping({ signal: caller.signal })
    const [socket] = await once(silent, 'connection')
    caller.abort('aborted')
    await expect(call).rejects.toBe('aborted')
    await connecting.close()
    if (!socket.closed) await once(socket.resume(), 'close')
    silent.close()
  })

  it('reports its operation and outcome', async () => {
    const calls: CallMeasurement[] = []
    await reconnect({ onCall: (call) => calls.push(call) })
    await presenton.createDeck({ ...asShared, brief })
    upstream.handlers[createPath] = json({ detail: 'no' }, 400)
    await presenton.createDeck({ ...asShared, brief }).catch(() => undefined)
    expect(calls.map(({ operation, outcome }) => `${operation} ${outcome}`)).toEqual([
      'create ok',
      'create rejected',
    ])
  })

  it('treats a missing deck as deleted, and as gone when it is read', async () => {
    const path = `/api/v1/ppt/presentation/${id}`
    upstream.handlers[path] = json({ detail: 'Presentation not found' }, 404)
    await presenton.deleteDeck({ ...asShared, deckId: id })
    await expect(presenton.readDeck({ ...asShared, deckId: id })).rejects.toMatchObject({
      failure: 'gone',
    })
  })
})
