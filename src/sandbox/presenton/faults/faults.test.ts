import { describe, expect, it, onTestFinished } from 'vitest'
import { readZip } from '../content/zip.ts'
import { type FaultName, faultNames, openStandIn, type StandInOptions } from '../stand-in.ts'
import { createTestClient, finishDeck, messagesOf, prepareDeck } from '../test-client.ts'
import { secretsIn } from './model-failures.ts'

async function open(options: StandInOptions = {}) {
  const presenton = await openStandIn(options)
  onTestFinished(() => presenton.close())
  return { presenton, client: createTestClient(presenton) }
}

type Open = Awaited<ReturnType<typeof open>>
const typesOf = (stream: string) => messagesOf(stream).map(({ type }) => type)

/** The text of the slides stream until its end, and how it ended. */
async function readSlides({ client }: Open, id: string) {
  const response = await client.call('GET', `presentation/stream/${id}`)
  const parts: Uint8Array[] = []
  try {
    for await (const part of response.body ?? []) parts.push(part)
    return { text: Buffer.concat(parts).toString(), ended: 'complete' }
  } catch {
    return { text: Buffer.concat(parts).toString(), ended: 'cut' }
  }
}

describe('error responses of any operation', () => {
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
    const { presenton, client } = await open()
    for (const operation of ['create', 'list', 'login'] as const) {
      presenton.faults.inject(`${operation}:${name}`)
      const path = {
        create: 'presentation/create',
        list: 'presentation/all',
        login: '/api/v1/auth/login',
      }[operation]
      const response = await client.send(
        operation === 'list' ? 'GET' : 'POST',
        path,
        operation === 'list' ? undefined : { content: 'x' },
      )
      expect([response.status, response.headers.get('content-type')]).toEqual([status, type])
      expect(response.text).toMatch(body)
    }
    expect(presenton.decks.size).toBe(0)
  })

  it('have a Retry-After with 429', async () => {
    const { presenton, client } = await open()
    presenton.faults.inject('list:429')
    expect((await client.send('GET', 'presentation/all')).headers.get('retry-after')).toBe('1')
  })

  it('are absent when the connection is reset, or hangs', async () => {
    const { presenton, client } = await open()
    presenton.faults.inject('create:reset')
    await expect(client.create()).rejects.toThrow()
    presenton.faults.inject('create:hang')
    presenton.gates.hold('create')
    const disconnect = new AbortController()
    const call = fetch(`${presenton.url}/api/v1/ppt/presentation/create`, {
      method: 'POST',
      body: '{}',
      signal: disconnect.signal,
    })
    await presenton.gates.arrived('create')
    presenton.gates.release('create')
    await expect.poll(() => presenton.faults.injected).toEqual(['create:reset', 'create:hang'])
    disconnect.abort()
    await expect(call).rejects.toThrow()
    expect(presenton.decks.size).toBe(0)
  })

  it('are absent after the work when the reply is lost', async () => {
    const { presenton, client } = await open()
    for (const name of ['create:reply-lost', 'create:reply-half'] as const) {
      presenton.faults.inject(name)
      await expect(client.create()).rejects.toThrow()
    }
    expect(presenton.decks.size).toBe(2)
  })
})

describe('an injected fault', () => {
  it('applies to the given number of exchanges, after those to skip, or to one deck', async () => {
    const { presenton, client } = await open()
    const [one, two] = [await client.create(), await client.create()]
    const readStatus = async (id: string) => (await client.send('GET', `presentation/${id}`)).status
    presenton.faults.inject('read:502', { times: 2, skip: 1 })
    expect([
      await readStatus(one),
      await readStatus(one),
      await readStatus(one),
      await readStatus(one),
    ]).toEqual([200, 502, 502, 200])
    presenton.faults.inject('read:404', { times: Number.POSITIVE_INFINITY, deckId: two })
    expect([await readStatus(one), await readStatus(two), await readStatus(two)]).toEqual([
      200, 404, 404,
    ])
    presenton.faults.clear('read:404')
    expect(await readStatus(two)).toBe(200)
    expect(presenton.faults.injected).toEqual(['read:502', 'read:502', 'read:404', 'read:404'])
  })

  it('must have a known name', async () => {
    const { presenton } = await open()
    expect(() => presenton.faults.inject('read:nonsense' as FaultName)).toThrow(
      'No such fault: read:nonsense',
    )
    expect(new Set(faultNames).size).toBe(faultNames.length)
  })
})

describe('faults inside the slides stream', () => {
  it.each([
    ['slides:error-401', 'complete', ['chunk', 'chunk', 'error'], 0],
    ['slides:ends', 'complete', ['chunk', 'chunk'], 0],
    ['slides:ends-empty', 'complete', [], 0],
    ['slides:no-complete', 'complete', ['chunk', 'chunk', 'chunk', 'chunk', 'chunk'], 0],
    ['slides:saved-no-complete', 'complete', ['chunk', 'chunk', 'chunk', 'chunk', 'chunk'], 3],
    ['slides:cut-before-complete', 'cut', ['chunk', 'chunk', 'chunk', 'chunk', 'chunk'], 0],
    [
      'slides:two-completes',
      'complete',
      ['chunk', 'chunk', 'chunk', 'chunk', 'chunk', 'complete', 'complete'],
      3,
    ],
    [
      'slides:text-after-complete',
      'complete',
      ['chunk', 'chunk', 'chunk', 'chunk', 'chunk', 'complete', 'chunk'],
      3,
    ],
    ['slides:dropped-part', 'complete', ['chunk', 'chunk', 'chunk', 'chunk', 'complete'], 3],
    [
      'slides:repeated-part',
      'complete',
      ['chunk', 'chunk', 'chunk', 'chunk', 'chunk', 'chunk', 'complete'],
      3,
    ],
  ] as const)('%s ends %s', async (name, ended, seen, stored) => {
    const all = await open({ shape: 'A1' })
    const id = await prepareDeck(all.client)
    all.presenton.faults.inject(name)
    const stream = await readSlides(all, id)
    expect(stream.ended).toBe(ended)
    expect(typesOf(stream.text)).toEqual(seen)
    expect(all.presenton.decks.get(id)?.slides).toHaveLength(stored)
    expect(all.presenton.spendOf(id).slideStreams).toBe(1)
  })

  it('applies to the given slide', async () => {
    const all = await open({ shape: 'A1' })
    const id = await prepareDeck(all.client)
    all.presenton.faults.inject('slides:error-429', { at: 3 })
    expect(typesOf((await readSlides(all, id)).text)).toEqual(['chunk', 'chunk', 'chunk', 'error'])
  })

  it('closes the connection in the middle of an event', async () => {
    const all = await open({ shape: 'A1' })
    const id = await prepareDeck(all.client)
    all.presenton.faults.inject('slides:cut')
    const { text, ended } = await readSlides(all, id)
    expect(ended).toBe('cut')
    expect(text).toMatch(/event: response\ndata: \{"type": "chunk", "chunk": "\{[^\n]*$/)
  })

  it('stalls until the client disconnects', async () => {
    const all = await open({ shape: 'B1' })
    const id = await prepareDeck(all.client)
    all.presenton.faults.inject('slides:stall', { at: 2 })
    const response = await all.client.call('GET', `presentation/stream/${id}`)
    let text = ''
    for await (const part of response.body ?? []) {
      text += Buffer.from(part).toString()
      if (text.split('\n\n').length > 2) break // closes the connection
    }
    expect(typesOf(text)).toEqual(['chunk', 'chunk'])
    await expect.poll(() => all.presenton.journal.at(-1)?.aborted).toBe(true)
    expect(all.presenton.decks.get(id)?.slides).toEqual([])
  })

  it('changes the framing, not the content', async () => {
    const all = await open({ shape: 'B1' })
    const id = await prepareDeck(all.client)
    const unframe = (text: string) =>
      text.replaceAll('\r\n', '\n').replaceAll(': ping\n\n', '').replaceAll('{\ndata: ', '{')
    const contentOf = (text: string) => unframe(text).replace(/[0-9a-f]{8}-[0-9a-f-]{27}/g, 'ID')
    const plain = (await readSlides(all, id)).text
    for (const name of ['crlf', 'comments', 'two-data-lines', 'drip', 'held-tail'] as const) {
      all.presenton.faults.inject(`slides:${name}`)
      const { text, ended } = await readSlides(all, id)
      expect(ended).toBe('complete')
      expect(contentOf(text)).toBe(contentOf(plain))
      if (name === 'crlf') expect(text).not.toMatch(/[^\r]\n/)
      if (name === 'comments') expect(text).toMatch(/^: ping\n\n/)
    }
  })

  it('sends one event of 64 MiB, garbage, and unknown event types', async () => {
    const all = await open({ shape: 'A1' })
    const id = await prepareDeck(all.client)
    all.presenton.faults.inject('slides:oversized')
    expect((await readSlides(all, id)).text.length).toBeGreaterThan(64 * 2 ** 20)
    all.presenton.faults.inject('slides:garbage')
    expect((await readSlides(all, id)).text).toContain('\u0000\u0001\u0002')
    all.presenton.faults.inject('slides:unknown-kinds')
    expect(typesOf((await readSlides(all, id)).text)).toContain('weather')
  })

  it('puts secrets into an error text, for tests that search for leaks', async () => {
    const all = await open({ shape: 'B1' })
    const id = await prepareDeck(all.client)
    all.presenton.faults.inject('slides:error-secrets')
    const { text } = await readSlides(all, id)
    expect(secretsIn(text)).not.toEqual([])
  })

  it('completes without slides, or with one missing', async () => {
    const all = await open({ shape: 'B1' })
    const id = await prepareDeck(all.client)
    const completed = async (name: FaultName) => {
      all.presenton.faults.inject(name)
      return messagesOf((await readSlides(all, id)).text).at(-1)?.presentation?.slides
    }
    expect(await completed('slides:complete-empty')).toEqual([])
    expect(await completed('slides:complete-short')).toHaveLength(2)
  })
})

describe('faults of the outlines stream', () => {
  it('writes too few or too many outlines: A accepts or truncates them, B fails', async () => {
    for (const [name, shape, expected] of [
      ['outlines:few', 'A1', 2],
      ['outlines:many', 'A1', 3],
      ['outlines:few', 'B1', undefined],
      ['outlines:many', 'B1', undefined],
    ] as const) {
      const { presenton, client } = await open({ shape })
      const id = await client.create()
      presenton.faults.inject(name)
      const last = messagesOf((await client.outlines(id)).text).at(-1)
      expect(last?.presentation?.outlines.slides.length).toBe(expected)
      if (shape === 'B1')
        expect(last?.detail).toMatch(
          /^Failed to generate presentation outlines with requested number/,
        )
    }
  })

  it('reports a failing model in the words of each version', async () => {
    const error = async (shape: 'A1' | 'B1') => {
      const { presenton, client } = await open({ shape })
      const id = await client.create()
      presenton.faults.inject('outlines:error-401')
      const { text } = await client.outlines(id)
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
      const { presenton, client } = await open({ shape })
      const id = await client.create()
      presenton.faults.inject(`prepare:${name}`)
      expect((await client.prepare(id, [{ content: 'a' }])).status).toBe(status)
      expect((await client.prepare(id, [{ content: 'a' }])).status).toBe(200)
    }
  })
})

describe('faults of export and file', () => {
  it('replies with paths that a client must not request', async () => {
    const { presenton, client } = await open()
    const id = await finishDeck(client)
    const path = async (name: FaultName) => {
      presenton.faults.inject(name)
      return JSON.parse((await client.export(id)).text).path
    }
    expect(await path('export:path-outside')).toBe('/etc/passwd')
    expect(await path('export:path-dots')).toContain('/../')
    expect(await path('export:path-other-host')).toMatch(/^http:\/\/169/)
    expect(await path('export:path-missing')).toBeUndefined()
    expect((await client.export(id)).status).toBe(200)
  })

  it('responds with other bytes than exported', async () => {
    const { presenton, client } = await open()
    const path = JSON.parse((await client.export(await finishDeck(client))).text).path
    const exported = (await client.file(path)).bytes
    const get = (name: FaultName) => {
      presenton.faults.inject(name)
      return client.file(path)
    }
    expect((await get('file:empty')).bytes).toHaveLength(0)
    await expect(get('file:short')).rejects.toThrow()
    await expect(get('file:no-length-cut')).rejects.toThrow()
    const truncated = await get('file:truncated')
    expect(Number(truncated.headers.get('content-length'))).toBe(truncated.bytes.length)
    expect(truncated.bytes.length).toBeLessThan(exported.length)
    expect((await get('file:garbage')).bytes).toHaveLength(exported.length)
    expect((await readZip((await get('file:not-a-presentation')).bytes)).size).toBe(0)
    expect((await get('file:no-length')).headers.get('content-length')).toBeNull()
    const elsewhere = await get('file:redirect')
    expect([elsewhere.status, elsewhere.headers.get('location')]).toEqual([
      302,
      'http://127.0.0.1:9/elsewhere',
    ])
    expect((await get('file:404')).headers.get('content-type')).toBe('text/html')
    expect((await client.file(path)).bytes).toEqual(exported)
  })

  it('sends bytes until the client disconnects', async () => {
    const { presenton, client } = await open()
    const path = JSON.parse((await client.export(await finishDeck(client))).text).path
    presenton.faults.inject('file:endless')
    const response = await client.call('GET', encodeURI(path))
    let size = 0
    for await (const part of response.body ?? []) {
      size += part.length
      if (size > 2 ** 20) break
    }
    await expect.poll(() => presenton.journal.at(-1)?.aborted).toBe(true)
  })
})
