// The adapter against the sandbox's stand-in in each supported shape, from create to file, and with
// the faults of its streams, paths and responses.

import { afterEach, describe, expect, it } from 'vitest'
import {
  type FaultName,
  openStandIn,
  type Shape,
  type StandIn,
  type StandInOptions,
} from '../sandbox/presenton/stand-in.ts'
import type { Presenton } from './client.ts'
import { parseCompletedOutlines, parseCompletedSlides } from './deck-responses.ts'
import { asShared, openClient } from './fixtures/upstream.ts'
import type { Message } from './messages.ts'

const credentials = { username: 'admin', password: 'correct horse' }
const apiKey = 'sk-presenton-0123456789abcdef0123456789abcdef01234567'
const brief = {
  content:
    'The support team answered faster this quarter. The backlog fell by a third. Next we hire two people.',
  nSlides: 3,
  language: 'English',
  tone: 'default',
  verbosity: 'standard',
  includeTitleSlide: true,
  includeTableOfContents: false,
  webSearch: false,
}

let standIn: StandIn
let presenton: Presenton

async function open(
  shape: Shape,
  {
    server = {},
    client = {},
  }: { server?: StandInOptions; client?: Parameters<typeof openClient>[1] } = {},
) {
  const login = shape === 'A1' ? {} : { credentials }
  standIn = await openStandIn({ shape, ...login, ...server })
  presenton = openClient(standIn.url, { ...login, ...client })
}

afterEach(async () => {
  await presenton.close()
  await standIn.close()
})

async function readAll(stream: AsyncGenerator<Message[]>): Promise<Message[]> {
  const all: Message[] = []
  for await (const messages of stream) all.push(...messages)
  return all
}

async function createOutlinedDeck() {
  const { deckId } = await presenton.createDeck({ ...asShared, brief })
  const { outlines } = parseCompletedOutlines(
    (await readAll(presenton.streamOutlines({ ...asShared, deckId }))).at(-1) as Message,
  )
  return { deckId, outlines }
}

async function createPreparedDeck() {
  const deck = await createOutlinedDeck()
  await presenton.prepareDeck({ ...asShared, ...deck, title: 'deck 1', templateId: 'general' })
  return deck
}

async function createExportedDeck() {
  const { deckId } = await createPreparedDeck()
  await readAll(presenton.streamSlides({ ...asShared, deckId }))
  return {
    deckId,
    ...(await presenton.exportDeck({
      ...asShared,
      deckId,
      format: 'pptx',
      title: 'deck 1 export 1',
    })),
  }
}

describe.each<Shape>(['A1', 'T', 'B1', 'B2'])('Presenton of shape %s', (shape) => {
  it('creates, exports and deletes a deck', async () => {
    await open(shape)
    expect(await presenton.hasTemplate({ ...asShared, templateId: 'general' })).toBe(true)
    expect(await presenton.hasTemplate({ ...asShared, templateId: 'no-such' })).toBe(false)
    expect((await presenton.listTemplates(asShared)).map(({ id }) => id)).toContain('general')
    const { deckId, outlines } = await createPreparedDeck()
    expect(outlines).toHaveLength(3)
    const messages = await readAll(presenton.streamSlides({ ...asShared, deckId }))
    const { slides } = parseCompletedSlides(messages.at(-1) as Message)
    expect(slides.map(({ index }) => index)).toEqual([0, 1, 2])
    const stored = await presenton.readDeck({ ...asShared, deckId })
    expect(stored.slides.map(({ index }) => index).sort()).toEqual([0, 1, 2])
    expect(stored.presentation.id).toBe(deckId)
    for (const [format, start] of [
      ['pptx', 'PK'],
      ['pdf', '%PDF-'],
    ] as const) {
      const { path } = await presenton.exportDeck({
        ...asShared,
        deckId,
        format,
        title: `deck 1 ${format}`,
      })
      const { body, sizeBytes } = await presenton.openFile({ ...asShared, path })
      const bytes = Buffer.concat(await body.toArray())
      expect(bytes.subarray(0, start.length).toString()).toBe(start)
      expect(sizeBytes).toBe(bytes.length)
    }
    await presenton.deleteDeck({ ...asShared, deckId })
    await presenton.deleteDeck({ ...asShared, deckId })
    await expect(presenton.readDeck({ ...asShared, deckId })).rejects.toMatchObject({
      failure: 'gone',
    })
    await expect(readAll(presenton.streamSlides({ ...asShared, deckId }))).rejects.toMatchObject({
      failure: 'gone',
    })
    const gone = presenton.prepareDeck({
      ...asShared,
      deckId,
      outlines,
      title: 't',
      templateId: 'general',
    })
    await expect(gone).rejects.toMatchObject({ failure: 'gone' })
    expect(standIn.spend).toEqual({ outlines: 1, prepares: 1, slideStreams: 1, exports: 2 })
    expect(presenton.state()).toEqual({ breaker: 'closed', supported: true })
  })

  it('returns an exported file from the mounted directory', async () => {
    await open(shape)
    const { path } = await createExportedDeck()
    const mounted = openClient(standIn.url, { appDataDir: standIn.appDataDir })
    const { body, sizeBytes } = await mounted.openFile({ ...asShared, path })
    expect(Buffer.concat(await body.toArray()).length).toBe(sizeBytes)
    await mounted.close()
  })

  it('rejects an unknown template', async () => {
    await open(shape)
    const { deckId, outlines } = await createOutlinedDeck()
    const prepare = presenton.prepareDeck({
      ...asShared,
      deckId,
      outlines,
      title: 't',
      templateId: 'no-such',
    })
    await expect(prepare).rejects.toMatchObject({ code: 'UPSTREAM_REJECTED', failure: 'final' })
  })

  it('stores no slides when a stream is aborted', async () => {
    await open(shape)
    const { deckId } = await createPreparedDeck()
    standIn.gates.hold('slides:slide')
    const caller = new AbortController()
    const stream = presenton.streamSlides({ ...asShared, signal: caller.signal, deckId })
    const first = readAll(stream)
    await standIn.gates.arrived('slides:slide')
    caller.abort('aborted')
    await expect(first).rejects.toBe('aborted')
    standIn.gates.releaseAll()
    expect((await presenton.readDeck({ ...asShared, deckId })).slides).toEqual([])
  })
})

describe('Credentials', () => {
  it('are the API key if upstream has keys', async () => {
    await open('B1', { server: { apiKeys: [apiKey] }, client: { apiKey } })
    await createExportedDeck()
    expect(
      standIn.journal.some(
        ({ operation, headers }) => operation === 'login' || headers.cookie !== undefined,
      ),
    ).toBe(false)
  })

  it.each<Shape>(['T', 'B1', 'B2'])(
    'are renewed in shape %s when the sessions end',
    async (shape) => {
      await open(shape)
      const { deckId, path } = await createExportedDeck()
      standIn.dropSessions()
      const { body } = await presenton.openFile({ ...asShared, path })
      await body.toArray()
      standIn.dropSessions()
      await Promise.all([
        presenton.readDeck({ ...asShared, deckId }),
        presenton.readDeck({ ...asShared, deckId }),
      ])
      expect(
        standIn.journal.filter(({ operation }) => operation === 'login').length,
      ).toBeLessThanOrEqual(3)
    },
  )

  it.each<Shape>(['T', 'B1'])(
    'are not sent if the login of shape %s is switched off',
    async (shape) => {
      await open(shape, { server: { credentials: undefined } })
      await createExportedDeck()
      expect(standIn.journal.some(({ operation }) => operation === 'login')).toBe(false)
    },
  )

  it('are waited for if they are refused, and if upstream has no account yet', async () => {
    await open('B1', { client: { credentials: { ...credentials, password: 'wrong horse' } } })
    await expect(presenton.createDeck({ ...asShared, brief })).rejects.toMatchObject({
      code: 'UPSTREAM_UNAVAILABLE',
      failure: 'credentials',
    })
    await presenton.close()
    await standIn.close()
    await open('B1', { server: { credentials: undefined, unconfigured: true } })
    await expect(presenton.createDeck({ ...asShared, brief })).rejects.toMatchObject({
      code: 'UPSTREAM_UNAVAILABLE',
      failure: 'credentials',
    })
  })
})

describe('An upgrade of upstream', () => {
  it.each<[Shape, Shape]>([
    ['A1', 'T'],
    ['T', 'B1'],
    ['B1', 'B2'],
    ['B2', 'A1'],
  ])('from %s to %s does not interrupt a deck', async (before, after) => {
    await open(before, { server: { credentials }, client: { credentials } })
    const { deckId, outlines } = await createOutlinedDeck()
    standIn.setShape(after)
    await presenton.prepareDeck({
      ...asShared,
      deckId,
      outlines,
      title: 'deck 1',
      templateId: 'general',
    })
    await readAll(presenton.streamSlides({ ...asShared, deckId }))
    expect(
      (
        await presenton.exportDeck({
          ...asShared,
          deckId,
          format: 'pptx',
          title: 'deck 1 export 1',
        })
      ).path,
    ).toMatch(/^\/app_data\//)
  })
})

describe('A fault of the stand-in', () => {
  const streamFaults: [FaultName, string, string][] = [
    ['slides:ends', 'UPSTREAM_ERROR', 'fault'],
    ['slides:ends-empty', 'UPSTREAM_ERROR', 'fault'],
    ['slides:no-complete', 'UPSTREAM_ERROR', 'fault'],
    ['slides:cut', 'UPSTREAM_ERROR', 'fault'],
    ['slides:saved-cut', 'UPSTREAM_ERROR', 'fault'],
    ['slides:complete-empty', 'UPSTREAM_ERROR', 'fault'],
    ['slides:complete-null', 'UPSTREAM_ERROR', 'fault'],
    ['slides:complete-of-another-deck', 'UPSTREAM_ERROR', 'fault'],
    ['slides:error-secrets', 'UPSTREAM_ERROR', 'fault'],
    ['slides:oversized', 'UPSTREAM_ERROR', 'fault'],
    ['slides:stall', 'UPSTREAM_TIMEOUT', 'fault'],
    ['slides:stall-at-once', 'UPSTREAM_TIMEOUT', 'fault'],
    ['slides:stall-half-way', 'UPSTREAM_TIMEOUT', 'fault'],
    ['slides:hang', 'UPSTREAM_TIMEOUT', 'fault'],
    ['slides:reset', 'UPSTREAM_ERROR', 'fault'],
    ['slides:redirect', 'UPSTREAM_ERROR', 'fault'],
  ]
  it.each(streamFaults)('%s fails with %s, a %s', async (name, code, failure) => {
    await open('B1', {
      client: {
        timeouts: {
          createMs: 20_000,
          prepareMs: 20_000,
          exportMs: 20_000,
          stallMs: 150,
          streamMs: 20_000,
        },
      },
    })
    const { deckId } = await createPreparedDeck()
    standIn.faults.inject(name)
    await expect(readAll(presenton.streamSlides({ ...asShared, deckId }))).rejects.toMatchObject({
      code,
      failure,
    })
    expect(standIn.faults.injected).toEqual([name])
  })

  const harmless: FaultName[] = [
    'slides:two-completes',
    'slides:text-after-complete',
    'slides:error-after-complete',
    'slides:stall-after-complete',
    'slides:unknown-kinds',
    'slides:two-data-lines',
    'slides:comments',
    'slides:crlf',
    'slides:byte-order-mark',
    'slides:invalid-json',
    'slides:not-an-object',
    'slides:held-tail',
  ]
  it.each(harmless)('%s is tolerated', async (name) => {
    await open('B1')
    const { deckId } = await createPreparedDeck()
    standIn.faults.inject(name)
    const messages = await readAll(presenton.streamSlides({ ...asShared, deckId }))
    expect(messages.filter(({ type }) => type === 'complete')).toHaveLength(1)
    expect(parseCompletedSlides(messages.at(-1) as Message).slides).toHaveLength(3)
  })

  const localPaths: FaultName[] = [
    'export:path-outside',
    'export:path-dots',
    'export:path-encoded-dots',
    'export:path-backslash',
  ]
  const foreignPaths: FaultName[] = [
    'export:path-other-host',
    'export:path-scheme-relative',
    'export:path-relative',
  ]
  it.each([...localPaths, ...foreignPaths])('%s leads to no file', async (name) => {
    await open('B1')
    standIn.faults.inject(name)
    const { path } = await createExportedDeck()
    await expect(presenton.openFile({ ...asShared, path })).rejects.toMatchObject({
      code: 'UPSTREAM_ERROR',
      failure: 'bad-file',
    })
    expect(standIn.journal.some(({ operation }) => operation === 'file')).toBe(false)
  })

  it.each<FaultName>([
    'export:path-number',
    'export:path-missing',
    'export:reply-not-json',
    'export:reply-html',
    'export:reply-half',
    'export:reply-huge',
  ])('%s fails with a fault', async (name) => {
    await open('B1')
    standIn.faults.inject(name)
    await expect(createExportedDeck()).rejects.toMatchObject({
      code: 'UPSTREAM_ERROR',
      failure: 'fault',
    })
  })

  it('a stopped upstream is an outage until it returns', async () => {
    await open('B1')
    const { deckId } = await createPreparedDeck()
    await standIn.faults.down()
    await expect(presenton.readDeck({ ...asShared, deckId })).rejects.toMatchObject({
      code: 'UPSTREAM_UNAVAILABLE',
      failure: 'outage',
    })
    await standIn.faults.up()
    expect((await presenton.readDeck({ ...asShared, deckId })).slides).toEqual([])
  })
})
