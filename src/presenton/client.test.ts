import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { type AddressInfo, createServer } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ObservedCall } from './call-metrics.ts'
import type { Presenton, PresentonOptions } from './client.ts'
import {
  asShared,
  connect,
  json,
  openapi,
  openUpstream,
  type Upstream,
} from './fixtures/upstream.ts'

const id = '17db6369-29fb-4099-9d3c-f350de99850d'
const deck = {
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

const timeouts = {
  createMs: 20_000,
  prepareMs: 20_000,
  exportMs: 20_000,
  stallMs: 20_000,
  streamMs: 20_000,
}

describe('A call', () => {
  it('sends what the deck is to be, and only headers of ours', async () => {
    expect(
      await presenton.createDeck({ ...asShared, brief: { ...deck, instructions: 'short' } }),
    ).toEqual({
      deckId: id,
    })
    const [visit] = upstream.to(createPath)
    expect(JSON.parse(visit?.body ?? '')).toEqual({
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
    const sent = [
      'accept',
      'accept-encoding',
      'connection',
      'content-length',
      'content-type',
      'host',
      'user-agent',
    ]
    expect(Object.keys(visit?.headers ?? {}).sort()).toEqual(sent)
  })

  it.each([
    ['refused connections', 'http://127.0.0.1:1'],
    ['hosts that cannot be resolved', 'http://presenton.invalid'],
  ])('takes %s for an outage', async (_, url) => {
    const away = connect(url)
    await expect(away.createDeck({ ...asShared, brief: deck })).rejects.toMatchObject({
      code: 'UPSTREAM_UNAVAILABLE',
      failure: 'outage',
    })
    await away.close()
  })

  it('takes a connection that breaks after the request for a fault: it may have been acted on', async () => {
    upstream.answers[createPath] = (response) => response.destroy()
    await expect(presenton.createDeck({ ...asShared, brief: deck })).rejects.toMatchObject({
      code: 'UPSTREAM_ERROR',
      failure: 'fault',
    })
    expect(upstream.to(createPath)).toHaveLength(1)
  })

  it.each([
    ['HTML', (response: ServerResponse) => response.end('<html>')],
    ['another object', json({ name: 'x' })],
    ['an id that is a path', json({ id: '../../x' })],
    ['a redirect', (response: ServerResponse) => response.writeHead(302, { location: '/x' }).end()],
  ])('takes %s for a fault', async (_, answer) => {
    upstream.answers[createPath] = answer
    await expect(presenton.createDeck({ ...asShared, brief: deck })).rejects.toMatchObject({
      code: 'UPSTREAM_ERROR',
      failure: 'fault',
    })
    expect(upstream.to('/x')).toEqual([])
  })

  it('reads no answer over the bound', async () => {
    await reconnect({ maxMessageBytes: 1000 })
    upstream.answers['/openapi.json'] = json({ ...openapi(), x: 'x'.repeat(2000) })
    await expect(presenton.createDeck({ ...asShared, brief: deck })).rejects.toMatchObject({
      code: 'UPSTREAM_ERROR',
      failure: 'fault',
    })
  })

  it('ends at its deadline', async () => {
    await presenton.features(asShared.signal)
    const visits = upstream.visits.length
    await reconnect({ timeouts: { ...timeouts, createMs: 100 } })
    upstream.answers[createPath] = () => undefined
    await expect(presenton.createDeck({ ...asShared, brief: deck })).rejects.toMatchObject({
      code: 'UPSTREAM_TIMEOUT',
      failure: 'fault',
    })
    expect(upstream.visits.length).toBe(visits + 3)
  })

  it("rejects with the caller's own reason, closes its connection, and disturbs no other", async () => {
    const leaving = new AbortController()
    upstream.answers[createPath] = (response, { body }) =>
      body.includes('stay') ? setTimeout(() => json({ id })(response, {} as never), 50) : undefined
    const other = presenton.createDeck({ ...asShared, brief: { ...deck, content: 'stay' } })
    const left = presenton.createDeck({ ...asShared, signal: leaving.signal, brief: deck })
    await upstream.until(() => upstream.to(createPath).length === 2)
    leaving.abort('enough')
    await expect(left).rejects.toBe('enough')
    expect(await other).toEqual({ deckId: id })
  })

  it('does not begin when its caller has left', async () => {
    await expect(
      presenton.createDeck({ ...asShared, signal: AbortSignal.abort('gone'), brief: deck }),
    ).rejects.toBe('gone')
    expect(upstream.visits).toEqual([])
  })

  it('can be left while it still connects', async () => {
    const silent = createServer().listen(0, '127.0.0.1')
    await once(silent, 'listening')
    // A TLS handshake that nobody answers.
    const away = connect(`https://127.0.0.1:${(silent.address() as AddressInfo).port}`)
    const leaving = new AbortController()
    const call = away.ping({ signal: leaving.signal })
    const [socket] = await once(silent, 'connection')
    leaving.abort('enough')
    await expect(call).rejects.toBe('enough')
    await away.close()
    if (!socket.closed) await once(socket.resume(), 'close')
    silent.close()
  })

  it('says what it came to', async () => {
    const calls: ObservedCall[] = []
    await reconnect({ onCall: (call) => calls.push(call) })
    await presenton.createDeck({ ...asShared, brief: deck })
    upstream.answers[createPath] = json({ detail: 'no' }, 400)
    await presenton.createDeck({ ...asShared, brief: deck }).catch(() => undefined)
    expect(calls.map(({ operation, outcome }) => `${operation} ${outcome}`)).toEqual([
      'create ok',
      'create rejected',
    ])
  })

  it('deletes what is not there any more, and reads it not', async () => {
    const path = `/api/v1/ppt/presentation/${id}`
    upstream.answers[path] = json({ detail: 'Presentation not found' }, 404)
    await presenton.deleteDeck({ ...asShared, deckId: id })
    await expect(presenton.readDeck({ ...asShared, deckId: id })).rejects.toMatchObject({
      failure: 'gone',
    })
  })
})
