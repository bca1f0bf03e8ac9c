import { once } from 'node:events'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Presenton, PresentonOptions } from './client.ts'
import { asShared, connect, json, openUpstream, type Upstream } from './fixtures/upstream.ts'

const deckPath = '/api/v1/ppt/presentation/d'
const preparePath = '/api/v1/ppt/presentation/prepare'
const statusPath = '/api/v1/auth/status'
const good = json({ slides: [] })
const bad = json({}, 500)

let upstream: Upstream
let presenton: Presenton
let states: string[]
let changed: EventTarget

beforeEach(async () => {
  upstream = await openUpstream({ [deckPath]: good })
  await reconnect({})
})

afterEach(async () => {
  await presenton.close()
  await upstream.close()
})

async function reconnect(options: Partial<PresentonOptions>) {
  await presenton?.close()
  states = []
  changed = new EventTarget()
  presenton = connect(upstream.url, {
    breaker: { errorPercent: 50, minCalls: 5, windowMs: 60_000, resetMs: 100 },
    onBreaker(state) {
      states.push(state)
      changed.dispatchEvent(new Event(state))
    },
    ...options,
  })
  await presenton.features(asShared.signal)
}

const read = () => presenton.readDeck({ ...asShared, deckId: 'd' })

async function openCircuit() {
  upstream.answers[deckPath] = bad
  while (presenton.state().breaker === 'closed') await read().catch(() => undefined)
}

async function halfOpenCircuit() {
  await openCircuit()
  await once(changed as never, 'half-open')
}

describe('The circuit', () => {
  it('opens at 5xx, sends nothing more, and says when to come again', async () => {
    await openCircuit()
    expect(upstream.to(deckPath).length).toBeGreaterThanOrEqual(3)
    const visits = upstream.visits.length
    await expect(read()).rejects.toMatchObject({
      code: 'UPSTREAM_UNAVAILABLE',
      failure: 'outage',
      retryAfterSeconds: 1,
    })
    expect(upstream.visits.length).toBe(visits)
    expect(states).toEqual(['open'])
  })

  it('does not open at 4xx, at cancellations, or at errors that a stream reports', async () => {
    const stream = '/api/v1/ppt/presentation/stream/d'
    upstream.answers[stream] = (response) =>
      response
        .writeHead(200, { 'content-type': 'text/event-stream' })
        .end('data: {"type":"error"}\n\n')
    upstream.answers[deckPath] = json({ detail: 'no' }, 400)
    for (let i = 0; i < 8; i++) {
      await read().catch(() => undefined)
      await presenton
        .streamSlides({ ...asShared, deckId: 'd' })
        .next()
        .catch(() => undefined)
    }
    upstream.answers[deckPath] = () => undefined
    for (let i = 0; i < 8; i++) {
      const leaving = new AbortController()
      const visits = upstream.visits.length
      const call = presenton.readDeck({ ...asShared, signal: leaving.signal, deckId: 'd' })
      await upstream.until(() => upstream.visits.length > visits)
      leaving.abort('enough')
      await expect(call).rejects.toBe('enough')
    }
    expect(presenton.state().breaker).toBe('closed')
  })

  it('opens at connections that break and at deadlines', async () => {
    await reconnect({
      timeouts: { createMs: 60, prepareMs: 60, exportMs: 60, stallMs: 60, streamMs: 60 },
    })
    let call = 0
    upstream.answers[deckPath] = (response) => (call++ % 2 === 0 ? response.destroy() : undefined)
    for (let i = 0; i < 5; i++) await read().catch(() => undefined)
    expect(presenton.state().breaker).toBe('open')
  })

  it('lets one call through when half-open, and closes with its success', async () => {
    await halfOpenCircuit()
    const held: (() => void)[] = []
    upstream.answers[deckPath] = (response, visit) => held.push(() => good(response, visit))
    const before = upstream.to(deckPath).length
    const probe = read()
    await upstream.until(() => upstream.to(deckPath).length > before)
    await expect(read()).rejects.toMatchObject({
      code: 'UPSTREAM_UNAVAILABLE',
      retryAfterSeconds: 1,
    })
    held[0]?.()
    await probe
    expect(upstream.to(deckPath).length).toBe(before + 1)
    expect(states).toEqual(['open', 'half-open', 'closed'])
  })

  it('opens again when the one call fails', async () => {
    await halfOpenCircuit()
    await expect(read()).rejects.toMatchObject({ code: 'UPSTREAM_ERROR' })
    expect(states).toEqual(['open', 'half-open', 'open'])
  })

  it('is not closed by the cancellation of the one call', async () => {
    await halfOpenCircuit()
    upstream.answers[deckPath] = () => undefined
    const before = upstream.to(deckPath).length
    const leaving = new AbortController()
    const probe = presenton.readDeck({ ...asShared, signal: leaving.signal, deckId: 'd' })
    await upstream.until(() => upstream.to(deckPath).length > before)
    leaving.abort('enough')
    await expect(probe).rejects.toBe('enough')
    expect(presenton.state().breaker).toBe('open')
  })

  it('asks for a sign of life before a call that may take minutes, so that it is not half-open for minutes', async () => {
    await halfOpenCircuit()
    const before = upstream.to(statusPath).length
    upstream.answers[preparePath] = () => undefined
    const leaving = new AbortController()
    const slow = presenton.prepareDeck({
      ...asShared,
      signal: leaving.signal,
      deckId: 'd',
      outlines: ['a'],
      title: 't',
      templateId: 'general',
    })
    await upstream.until(() => upstream.to(preparePath).length === 1)
    expect(upstream.to(statusPath).length).toBe(before + 1)
    expect(presenton.state().breaker).toBe('closed')
    leaving.abort('enough')
    await expect(slow).rejects.toBe('enough')
  })

  it('is closed by a ping when half-open, but pings of a closed one do not count', async () => {
    await halfOpenCircuit()
    await presenton.ping({ signal: asShared.signal })
    expect(presenton.state().breaker).toBe('closed')
    upstream.answers[statusPath] = bad
    for (let i = 0; i < 8; i++)
      await expect(presenton.ping({ signal: asShared.signal })).rejects.toMatchObject({
        failure: 'fault',
      })
    expect(presenton.state().breaker).toBe('closed')
  })

  it('counts a stream good at its head and a later cut on its own', async () => {
    await reconnect({
      breaker: { errorPercent: 40, minCalls: 5, windowMs: 60_000, resetMs: 60_000 },
    })
    const stream = '/api/v1/ppt/presentation/stream/d'
    upstream.answers[stream] = (response) => {
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

  it('never ends a call that is under way', async () => {
    const slowPath = '/api/v1/ppt/outlines/stream/slow'
    let finish = () => {}
    upstream.answers[slowPath] = (response) => {
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
  it('has nothing alive: no socket, no timer, no call', async () => {
    upstream.answers[deckPath] = () => undefined
    upstream.answers['/api/v1/ppt/presentation/stream/d'] = (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write('data: {"type":"chunk"}\n\n')
    }
    const stream = presenton.streamSlides({ ...asShared, deckId: 'd' })
    await stream.next()
    const call = read()
    call.catch(() => undefined)
    await upstream.until(() => upstream.to(deckPath).length === 1)
    await presenton.close()
    await expect(call).rejects.toMatchObject({ failure: 'outage' })
    await expect(stream.next()).rejects.toMatchObject({ failure: 'outage' })
    await upstream.idle()
    await expect(read()).rejects.toMatchObject({ failure: 'outage' })
    expect(process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap')).toEqual([])
  })
})
