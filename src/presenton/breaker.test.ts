import { EventEmitter, once } from 'node:events'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Presenton, PresentonOptions } from './client.ts'
import { asShared, json, openClient, openUpstream, type Upstream } from './fixtures/upstream.ts'

const deckPath = '/api/v1/ppt/presentation/d'
const preparePath = '/api/v1/ppt/presentation/prepare'
const statusPath = '/api/v1/auth/status'
const success = json({ slides: [] })
const failure = json({}, 500)

let upstream: Upstream
let presenton: Presenton
let states: string[]
/** Emits the name of each new state of the circuit. */
let stateChanges: EventEmitter

beforeEach(async () => {
  upstream = await openUpstream({ [deckPath]: success })
  await reconnect({})
})

afterEach(async () => {
  await presenton.close()
  await upstream.close()
})

async function reconnect(options: Partial<PresentonOptions>) {
  await presenton?.close()
  states = []
  stateChanges = new EventEmitter()
  presenton = openClient(upstream.url, {
    breaker: { errorPercent: 50, minCalls: 5, windowMs: 60_000, resetMs: 100 },
    logger: {
      warn({ state }: { state: string }) {
        states.push(state)
        stateChanges.emit(state)
      },
    },
    ...options,
  })
  // Probes the features, so that a test counts only its own calls.
  await presenton.ping(asShared)
}

const read = () => presenton.readDeck({ ...asShared, deckId: 'd' })

async function openCircuit() {
  upstream.handlers[deckPath] = failure
  while (presenton.state().breaker === 'closed') await read().catch(() => undefined)
}

async function halfOpenCircuit() {
  await openCircuit()
  await once(stateChanges, 'half-open')
}

describe('The circuit breaker', () => {
  it('opens after 5xx, sends nothing more, and returns the time to retry after', async () => {
    await openCircuit()
    expect(upstream.requestsTo(deckPath).length).toBeGreaterThanOrEqual(3)
    const requestsBefore = upstream.requests.length
    await expect(read()).rejects.toMatchObject({
      code: 'UPSTREAM_UNAVAILABLE',
      failure: 'outage',
      retryAfterSeconds: 1,
    })
    expect(upstream.requests.length).toBe(requestsBefore)
    expect(states).toEqual(['open'])
  })

  it('stays closed after 4xx, cancellations and errors that a stream reports', async () => {
    const stream = '/api/v1/ppt/presentation/stream/d'
    upstream.handlers[stream] = (response) =>
      response
        .writeHead(200, { 'content-type': 'text/event-stream' })
        .end('data: {"type":"error"}\n\n')
    upstream.handlers[deckPath] = json({ detail: 'no' }, 400)
    for (let i = 0; i < 8; i++) {
      await read().catch(() => undefined)
      await presenton
        .streamSlides({ ...asShared, deckId: 'd' })
        .next()
        .catch(() => undefined)
    }
    upstream.handlers[deckPath] = () => undefined
    for (let i = 0; i < 8; i++) {
      const caller = new AbortController()
      const requestsBefore = upstream.requests.length
      const call = presenton.readDeck({ ...asShared, signal: caller.signal, deckId: 'd' })
      await upstream.waitUntil(() => upstream.requests.length > requestsBefore)
      caller.abort('aborted')
      await expect(call).rejects.toBe('aborted')
    }
    expect(presenton.state().breaker).toBe('closed')
  })

  it('opens when every create fails, however many cheap calls succeed', async () => {
    upstream.handlers['POST /api/v1/ppt/presentation/create'] = failure
    upstream.handlers['/api/v1/ppt/template/'] = json({ id: 'general' })
    const brief = {
      ...{ content: 'text', nSlides: 3, language: 'English', tone: 'default' },
      ...{ verbosity: 'standard', webSearch: false },
      ...{ includeTitleSlide: true, includeTableOfContents: false },
    }
    for (let i = 0; i < 5; i++) {
      for (let n = 0; n < 3; n++) await presenton.hasTemplate({ ...asShared, templateId: `t${n}` })
      await presenton.createDeck({ ...asShared, brief }).catch(() => undefined)
    }
    expect(presenton.state().breaker).toBe('open')
  })

  it('opens after broken connections and timeouts', async () => {
    await reconnect({
      timeouts: { createMs: 60, prepareMs: 60, exportMs: 60, stallMs: 60, streamMs: 60 },
    })
    let call = 0
    upstream.handlers[deckPath] = (response) => (call++ % 2 === 0 ? response.destroy() : undefined)
    for (let i = 0; i < 5; i++) await read().catch(() => undefined)
    expect(presenton.state().breaker).toBe('open')
  })

  it('allows one call when half-open, and closes if it succeeds', async () => {
    await halfOpenCircuit()
    const held: (() => void)[] = []
    upstream.handlers[deckPath] = (response, request) => held.push(() => success(response, request))
    const before = upstream.requestsTo(deckPath).length
    const probe = read()
    await upstream.waitUntil(() => upstream.requestsTo(deckPath).length > before)
    await expect(read()).rejects.toMatchObject({
      code: 'UPSTREAM_UNAVAILABLE',
      retryAfterSeconds: 1,
    })
    held[0]?.()
    await probe
    expect(upstream.requestsTo(deckPath).length).toBe(before + 1)
    expect(states).toEqual(['open', 'half-open', 'closed'])
  })

  it('opens again if the one call fails', async () => {
    await halfOpenCircuit()
    await expect(read()).rejects.toMatchObject({ code: 'UPSTREAM_ERROR' })
    expect(states).toEqual(['open', 'half-open', 'open'])
  })

  it('opens again if the one call is cancelled', async () => {
    await halfOpenCircuit()
    upstream.handlers[deckPath] = () => undefined
    const before = upstream.requestsTo(deckPath).length
    const caller = new AbortController()
    const probe = presenton.readDeck({ ...asShared, signal: caller.signal, deckId: 'd' })
    await upstream.waitUntil(() => upstream.requestsTo(deckPath).length > before)
    caller.abort('aborted')
    await expect(probe).rejects.toBe('aborted')
    expect(presenton.state().breaker).toBe('open')
  })

  it('is decided by a liveness check before a call that may take minutes', async () => {
    await halfOpenCircuit()
    const before = upstream.requestsTo(statusPath).length
    upstream.handlers[preparePath] = () => undefined
    const caller = new AbortController()
    const slow = presenton.prepareDeck({
      ...asShared,
      signal: caller.signal,
      deckId: 'd',
      outlines: ['a'],
      title: 't',
      templateId: 'general',
    })
    await upstream.waitUntil(() => upstream.requestsTo(preparePath).length === 1)
    expect(upstream.requestsTo(statusPath).length).toBe(before + 1)
    expect(presenton.state().breaker).toBe('closed')
    caller.abort('aborted')
    await expect(slow).rejects.toBe('aborted')
  })

  it('is closed by a ping when half-open, and does not count pings when closed', async () => {
    await halfOpenCircuit()
    await presenton.ping(asShared)
    expect(presenton.state().breaker).toBe('closed')
    upstream.handlers[statusPath] = failure
    for (let i = 0; i < 8; i++)
      await expect(presenton.ping(asShared)).rejects.toMatchObject({
        failure: 'fault',
      })
    expect(presenton.state().breaker).toBe('closed')
  })

  it('counts a cut of a stream, and not its good start or a created deck', async () => {
    await reconnect({
      breaker: { errorPercent: 50, minCalls: 5, windowMs: 60_000, resetMs: 60_000 },
    })
    const stream = '/api/v1/ppt/presentation/stream/d'
    upstream.handlers[stream] = (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write('data: {"type":"chunk"}\n\n')
      setTimeout(() => response.destroy(), 5)
    }
    for (let i = 0; i < 12; i++) {
      const messages = presenton.streamSlides({ ...asShared, deckId: 'd' })
      await messages.next().catch(() => undefined)
      await messages.next().catch(() => undefined)
    }
    expect(presenton.state().breaker).toBe('open')
  })

  it('does not end a call under way when it opens', async () => {
    const slowPath = '/api/v1/ppt/outlines/stream/slow'
    let finish = () => {}
    upstream.handlers[slowPath] = (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write('data: {"type":"chunk"}\n\n')
      const outlines = { slides: [{ content: 'a' }] }
      finish = () =>
        response.end(
          `data: ${JSON.stringify({ type: 'complete', presentation: { outlines } })}\n\n`,
        )
    }
    const stream = presenton.streamOutlines({ ...asShared, deckId: 'slow' })
    await stream.next()
    await openCircuit()
    finish()
    expect((await stream.next()).value).toMatchObject([{ type: 'complete' }])
  })
})

describe('A closed client', () => {
  it('has ended every call and closed every socket', async () => {
    upstream.handlers[deckPath] = () => undefined
    upstream.handlers['/api/v1/ppt/presentation/stream/d'] = (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write('data: {"type":"chunk"}\n\n')
    }
    const stream = presenton.streamSlides({ ...asShared, deckId: 'd' })
    await stream.next()
    const call = read()
    call.catch(() => undefined)
    await upstream.waitUntil(() => upstream.requestsTo(deckPath).length === 1)
    await presenton.close()
    await expect(call).rejects.toMatchObject({ failure: 'outage' })
    await expect(stream.next()).rejects.toMatchObject({ failure: 'outage' })
    await upstream.waitUntilIdle()
    await expect(read()).rejects.toMatchObject({ failure: 'outage' })
    expect(process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap')).toEqual([])
  })
})
