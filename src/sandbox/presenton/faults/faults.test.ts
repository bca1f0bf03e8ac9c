import { describe, expect, it, onTestFinished } from 'vitest'
import { createCaller, finishDeck, messagesOf, prepareDeck } from '../caller.ts'
import { readZip } from '../content/zip.ts'
import { type FaultName, faultNames, openStandIn, type StandInOptions } from '../stand-in.ts'
import { secretsIn } from './model-failures.ts'

async function open(options: StandInOptions = {}) {
  const presenton = await openStandIn(options)
  onTestFinished(() => presenton.close())
  return { presenton, caller: createCaller(presenton) }
}

type Open = Awaited<ReturnType<typeof open>>
const kinds = (stream: string) => messagesOf(stream).map(({ type }) => type)

/** What a caller of the slides stream sees: the bytes until the end, and how it ended. */
async function readSlides({ caller }: Open, id: string) {
  const response = await caller.call('GET', `presentation/stream/${id}`)
  const parts: Uint8Array[] = []
  try {
    for await (const part of response.body ?? []) parts.push(part)
    return { text: Buffer.concat(parts).toString(), ended: 'well' }
  } catch {
    return { text: Buffer.concat(parts).toString(), ended: 'broken' }
  }
}

describe('answers in the stead of any operation', () => {
  it.each([
    ['502', 502, 'text/html', /<title>502 Bad Gateway<\/title>.*nginx\/1\.22\.1/s],
    ['503', 503, 'text/html', /503/],
    ['504', 504, 'text/html', /504 Gateway Time-out/],
    ['500', 500, 'text/plain; charset=utf-8', /^Internal Server Error$/],
    ['401', 401, 'application/json', /^\{"detail":"Unauthorized"\}$/],
    ['404', 404, 'application/json', /^\{"detail":"Presentation not found"\}$/],
    ['404-route', 404, 'application/json', /^\{"detail":"Not Found"\}$/],
    ['422', 422, 'application/json', /"type":"missing"/],
  ] as const)('%s', async (name, status, type, body) => {
    const { presenton, caller } = await open()
    for (const operation of ['create', 'list', 'login'] as const) {
      presenton.faults.inject(`${operation}:${name}`)
      const path = {
        create: 'presentation/create',
        list: 'presentation/all',
        login: '/api/v1/auth/login',
      }[operation]
      const answer = await caller.send(
        operation === 'list' ? 'GET' : 'POST',
        path,
        operation === 'list' ? undefined : { content: 'x' },
      )
      expect([answer.status, answer.headers.get('content-type')]).toEqual([status, type])
      expect(answer.text).toMatch(body)
    }
    expect(presenton.decks.size).toBe(0)
  })

  it('says how long to wait with a 429', async () => {
    const { presenton, caller } = await open()
    presenton.faults.inject('list:429')
    expect((await caller.send('GET', 'presentation/all')).headers.get('retry-after')).toBe('1')
  })

  it('breaks the connection before anything, or never answers', async () => {
    const { presenton, caller } = await open()
    presenton.faults.inject('create:reset')
    await expect(caller.create()).rejects.toThrow()
    presenton.faults.inject('create:hang')
    presenton.gates.hold('create')
    const leaving = new AbortController()
    const call = fetch(`${presenton.url}/api/v1/ppt/presentation/create`, {
      method: 'POST',
      body: '{}',
      signal: leaving.signal,
    })
    await presenton.gates.arrived('create')
    presenton.gates.release('create')
    await expect.poll(() => presenton.faults.injected).toEqual(['create:reset', 'create:hang'])
    leaving.abort()
    await expect(call).rejects.toThrow()
    expect(presenton.decks.size).toBe(0)
  })

  it('does its work and loses the reply', async () => {
    const { presenton, caller } = await open()
    for (const name of ['create:reply-lost', 'create:reply-half'] as const) {
      presenton.faults.inject(name)
      await expect(caller.create()).rejects.toThrow()
    }
    expect(presenton.decks.size).toBe(2)
  })
})

describe('when a fault strikes', () => {
  it('is told by times and skip, and by the deck', async () => {
    const { presenton, caller } = await open()
    const [one, two] = [await caller.create(), await caller.create()]
    const ask = async (id: string) => (await caller.send('GET', `presentation/${id}`)).status
    presenton.faults.inject('read:502', { times: 2, skip: 1 })
    expect([await ask(one), await ask(one), await ask(one), await ask(one)]).toEqual([
      200, 502, 502, 200,
    ])
    presenton.faults.inject('read:404', { times: Number.POSITIVE_INFINITY, deckId: two })
    expect([await ask(one), await ask(two), await ask(two)]).toEqual([200, 404, 404])
    presenton.faults.clear('read:404')
    expect(await ask(two)).toBe(200)
    expect(presenton.faults.injected).toEqual(['read:502', 'read:502', 'read:404', 'read:404'])
  })

  it('refuses a name that it does not know', async () => {
    const { presenton } = await open()
    expect(() => presenton.faults.inject('read:nonsense' as FaultName)).toThrow(
      'No such fault: read:nonsense',
    )
    expect(new Set(faultNames).size).toBe(faultNames.length)
  })
})

describe('faults inside the slides stream', () => {
  it.each([
    ['slides:error-401', 'well', ['chunk', 'chunk', 'error'], 0],
    ['slides:ends', 'well', ['chunk', 'chunk'], 0],
    ['slides:ends-empty', 'well', [], 0],
    ['slides:no-complete', 'well', ['chunk', 'chunk', 'chunk', 'chunk', 'chunk'], 0],
    ['slides:saved-no-complete', 'well', ['chunk', 'chunk', 'chunk', 'chunk', 'chunk'], 3],
    ['slides:cut-before-complete', 'broken', ['chunk', 'chunk', 'chunk', 'chunk', 'chunk'], 0],
    [
      'slides:two-completes',
      'well',
      ['chunk', 'chunk', 'chunk', 'chunk', 'chunk', 'complete', 'complete'],
      3,
    ],
    [
      'slides:text-after-complete',
      'well',
      ['chunk', 'chunk', 'chunk', 'chunk', 'chunk', 'complete', 'chunk'],
      3,
    ],
    ['slides:dropped-part', 'well', ['chunk', 'chunk', 'chunk', 'chunk', 'complete'], 3],
    [
      'slides:repeated-part',
      'well',
      ['chunk', 'chunk', 'chunk', 'chunk', 'chunk', 'chunk', 'complete'],
      3,
    ],
  ] as const)('%s ends %s', async (name, ended, seen, stored) => {
    const all = await open({ shape: 'A1' })
    const id = await prepareDeck(all.caller)
    all.presenton.faults.inject(name)
    const stream = await readSlides(all, id)
    expect(stream.ended).toBe(ended)
    expect(kinds(stream.text)).toEqual(seen)
    expect(all.presenton.decks.get(id)?.slides).toHaveLength(stored)
    expect(all.presenton.spendOf(id).slideStreams).toBe(1)
  })

  it('strikes the slide that it is told to', async () => {
    const all = await open({ shape: 'A1' })
    const id = await prepareDeck(all.caller)
    all.presenton.faults.inject('slides:error-429', { at: 3 })
    expect(kinds((await readSlides(all, id)).text)).toEqual(['chunk', 'chunk', 'chunk', 'error'])
  })

  it('cuts in the middle of an event', async () => {
    const all = await open({ shape: 'A1' })
    const id = await prepareDeck(all.caller)
    all.presenton.faults.inject('slides:cut')
    const { text, ended } = await readSlides(all, id)
    expect(ended).toBe('broken')
    expect(text).toMatch(/event: response\ndata: \{"type": "chunk", "chunk": "\{[^\n]*$/)
  })

  it('says nothing more for ever, until the caller leaves', async () => {
    const all = await open({ shape: 'B1' })
    const id = await prepareDeck(all.caller)
    all.presenton.faults.inject('slides:stall', { at: 2 })
    const response = await all.caller.call('GET', `presentation/stream/${id}`)
    let text = ''
    for await (const part of response.body ?? []) {
      text += Buffer.from(part).toString()
      if (text.split('\n\n').length > 2) break // leaving the loop closes the connection
    }
    expect(kinds(text)).toEqual(['chunk', 'chunk'])
    await expect.poll(() => all.presenton.journal.at(-1)?.aborted).toBe(true)
    expect(all.presenton.decks.get(id)?.slides).toEqual([])
  })

  it('changes the framing, not the words', async () => {
    const all = await open({ shape: 'B1' })
    const id = await prepareDeck(all.caller)
    const unframe = (text: string) =>
      text.replaceAll('\r\n', '\n').replaceAll(': ping\n\n', '').replaceAll('{\ndata: ', '{')
    const words = (text: string) => unframe(text).replace(/[0-9a-f]{8}-[0-9a-f-]{27}/g, 'ID')
    const plain = (await readSlides(all, id)).text
    for (const name of ['crlf', 'comments', 'two-data-lines', 'drip', 'held-tail'] as const) {
      all.presenton.faults.inject(`slides:${name}`)
      const { text, ended } = await readSlides(all, id)
      expect(ended).toBe('well')
      expect(words(text)).toBe(words(plain))
      if (name === 'crlf') expect(text).not.toMatch(/[^\r]\n/)
      if (name === 'comments') expect(text).toMatch(/^: ping\n\n/)
    }
  })

  it('sends one event of 64 MiB, garbage, and kinds that nobody knows', async () => {
    const all = await open({ shape: 'A1' })
    const id = await prepareDeck(all.caller)
    all.presenton.faults.inject('slides:oversized')
    expect((await readSlides(all, id)).text.length).toBeGreaterThan(64 * 2 ** 20)
    all.presenton.faults.inject('slides:garbage')
    expect((await readSlides(all, id)).text).toContain('\u0000\u0001\u0002')
    all.presenton.faults.inject('slides:unknown-kinds')
    expect(kinds((await readSlides(all, id)).text)).toContain('weather')
  })

  it('gives away secrets in the text of an error, for tests that look for them', async () => {
    const all = await open({ shape: 'B1' })
    const id = await prepareDeck(all.caller)
    all.presenton.faults.inject('slides:error-secrets')
    const { text } = await readSlides(all, id)
    expect(secretsIn(text)).not.toEqual([])
  })

  it('completes without slides, or with one too few', async () => {
    const all = await open({ shape: 'B1' })
    const id = await prepareDeck(all.caller)
    const completed = async (name: FaultName) => {
      all.presenton.faults.inject(name)
      return messagesOf((await readSlides(all, id)).text).at(-1)?.presentation?.slides
    }
    expect(await completed('slides:complete-empty')).toEqual([])
    expect(await completed('slides:complete-short')).toHaveLength(2)
  })
})

describe('faults of the outlines stream', () => {
  it('writes too few or too many outlines: A takes what there is, B gives up', async () => {
    for (const [name, shape, expected] of [
      ['outlines:few', 'A1', 2],
      ['outlines:many', 'A1', 3],
      ['outlines:few', 'B1', undefined],
      ['outlines:many', 'B1', undefined],
    ] as const) {
      const { presenton, caller } = await open({ shape })
      const id = await caller.create()
      presenton.faults.inject(name)
      const last = messagesOf((await caller.outlines(id)).text).at(-1)
      expect(last?.presentation?.outlines.slides.length).toBe(expected)
      if (shape === 'B1')
        expect(last?.detail).toMatch(
          /^Failed to generate presentation outlines with requested number/,
        )
    }
  })

  it('tells of a failing model in the words of each version', async () => {
    const error = async (shape: 'A1' | 'B1') => {
      const { presenton, caller } = await open({ shape })
      const id = await caller.create()
      presenton.faults.inject('outlines:error-401')
      const { text } = await caller.outlines(id)
      expect(presenton.decks.get(id)?.outlines).toBeNull()
      return messagesOf(text).at(-1)
    }
    expect((await error('A1'))?.detail).toMatch(/^OpenAI API error: Error code: 401 - \{'error'/)
    expect(await error('B1')).toEqual({
      type: 'error',
      detail: 'Invalid API key. Please verify your API key and try again.',
    })
  })
})

describe('faults of prepare', () => {
  it.each([
    ['model-401', 500, 401],
    ['model-429', 500, 429],
    ['model-503', 500, 503],
    ['model-400', 500, 400],
    ['index-error', 500, 500],
  ] as const)('%s is %i on A and %i on B', async (name, onA, onB) => {
    for (const [shape, status] of [
      ['A1', onA],
      ['B1', onB],
    ] as const) {
      const { presenton, caller } = await open({ shape })
      const id = await caller.create()
      presenton.faults.inject(`prepare:${name}`)
      expect((await caller.prepare(id, [{ content: 'a' }])).status).toBe(status)
      expect((await caller.prepare(id, [{ content: 'a' }])).status).toBe(200)
    }
  })
})

describe('faults of export and file', () => {
  it('names paths that nobody should follow', async () => {
    const { presenton, caller } = await open()
    const id = await finishDeck(caller)
    const path = async (name: FaultName) => {
      presenton.faults.inject(name)
      return JSON.parse((await caller.export(id)).text).path
    }
    expect(await path('export:path-outside')).toBe('/etc/passwd')
    expect(await path('export:path-dots')).toContain('/../')
    expect(await path('export:path-other-host')).toMatch(/^http:\/\/169/)
    expect(await path('export:path-missing')).toBeUndefined()
    expect((await caller.export(id)).status).toBe(200)
  })

  it('serves files that are not what was exported', async () => {
    const { presenton, caller } = await open()
    const path = JSON.parse((await caller.export(await finishDeck(caller))).text).path
    const whole = (await caller.file(path)).bytes
    const get = (name: FaultName) => {
      presenton.faults.inject(name)
      return caller.file(path)
    }
    expect((await get('file:empty')).bytes).toHaveLength(0)
    await expect(get('file:short')).rejects.toThrow()
    await expect(get('file:no-length-cut')).rejects.toThrow()
    const truncated = await get('file:truncated')
    expect(Number(truncated.headers.get('content-length'))).toBe(truncated.bytes.length)
    expect(truncated.bytes.length).toBeLessThan(whole.length)
    expect((await get('file:garbage')).bytes).toHaveLength(whole.length)
    expect((await readZip((await get('file:not-a-presentation')).bytes)).size).toBe(0)
    expect((await get('file:no-length')).headers.get('content-length')).toBeNull()
    const elsewhere = await get('file:redirect')
    expect([elsewhere.status, elsewhere.headers.get('location')]).toEqual([
      302,
      'http://127.0.0.1:9/elsewhere',
    ])
    expect((await get('file:404')).headers.get('content-type')).toBe('text/html')
    expect((await caller.file(path)).bytes).toEqual(whole)
  })

  it('sends without end until the caller leaves', async () => {
    const { presenton, caller } = await open()
    const path = JSON.parse((await caller.export(await finishDeck(caller))).text).path
    presenton.faults.inject('file:endless')
    const response = await caller.call('GET', encodeURI(path))
    let size = 0
    for await (const part of response.body ?? []) {
      size += part.length
      if (size > 2 ** 20) break
    }
    await expect.poll(() => presenton.journal.at(-1)?.aborted).toBe(true)
  })
})
