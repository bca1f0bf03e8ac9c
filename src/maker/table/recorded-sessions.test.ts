// Sessions of the real interface of upstream, recorded without a gateway and sent to the maker's
// listener in the same order: its responses have the form that the interface got then, except for
// what is meant. Recorded pictures come once, one deck's saves four times, and texts are shortened.
// Streams have the form of the recorded traffic in the stand-in. Sessions that met a proxy with
// responses of its own are left out, since those are not upstream's.

import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { createMakerBrowser, makerEnv } from '../../journeys/maker-browser.ts'
import { brief, type User } from '../../journeys/user.ts'
import { openWorld } from '../../journeys/world.ts'
import { png } from '../../sandbox/documents.ts'
import { formOf, notes } from '../files/test-world.ts'
import { type Body, createCalls, openPaidWorld, type PaidWorld } from '../paid/test-world.ts'
import { known } from './recorded-differences.ts'
import { differencesOf, framesOf, type RecordedRequest } from './recorded-shapes.ts'

interface Session {
  session: string
  requests: RecordedRequest[]
}

function readSessions(version: string): Session[] {
  const file = new URL(`recorded/sessions-${version}.json`, import.meta.url)
  return JSON.parse(readFileSync(file, 'utf8'))
}

describe('upstream 0.9.3', () => {
  /** The deck that the recording opens at first, which is there before. */
  const firstDeck = '46b92a8c-040f-4815-9913-8f65698fb25d'
  const ids = new Map<string, string>()
  const used = new Set<unknown>()
  let world: PaidWorld['world']
  let close: PaidWorld['close']
  let user: User
  beforeAll(async () => {
    ;({ world, close } = await openPaidWorld({ MAKER_RATE_PER_MINUTE: '100000' }))
    user = await world.createUser()
    const made = await user.generate({ ...brief, n_slides: 4 })
    ids.set(firstDeck, String(made['presenton_presentation_id']))
  }, 120_000)
  afterAll(() => close?.())
  const { call } = createCalls(() => world)

  function translate(text: string): string {
    let translated = text
    for (const [recorded, actual] of ids) translated = translated.replaceAll(recorded, actual)
    return translated
  }

  async function readDeck(deckId: string) {
    const response = await call(user, `presentation/${deckId}`)
    return (await response.json()) as Body & { slides: (Body & { index: number })[] }
  }

  /** Puts in what the recording holds no more: copies of what the interface read before. */
  async function complete(body: Body): Promise<Body> {
    if (body['slide']) {
      const slide = body['slide'] as Body & { index: number }
      const { slides } = await readDeck(currentDeck)
      const read = slides[slide.index]
      return { slide: { ...read, ...slide, id: read?.['id'], presentation: currentDeck } }
    }
    if (body['slides'] === '…') {
      const { slides, ...deck } = await readDeck(String(body['id']))
      currentDeck = String(body['id'])
      const shown = slides.slice(0, Number(body['n_slides']))
      while (shown.length < Number(body['n_slides']))
        shown.push({ ...(slides[0] as Body), id: crypto.randomUUID(), index: shown.length })
      const owned = shown.map((slide) => ({ ...slide, presentation: body['id'] }))
      return { ...deck, ...body, slides: owned }
    }
    if (body['outlines'] !== '…') return body
    const [row] = await world.query<{ id: string }>(
      'select presentation_id as id from gateway.decks where deck_id = $1',
      [body['presentation_id']],
    )
    await user.waitUntilSettled(row?.id ?? '')
    return { ...body, outlines }
  }
  let currentDeck = ''
  let outlines: unknown

  async function bodyOf({ target, body, upload }: RecordedRequest) {
    if (upload) {
      if (target.includes('/files/')) return formOf([notes])
      return formOf([{ name: 'pic.png', content: await png(), type: 'image/png' }], 'file')
    }
    return body && complete(JSON.parse(translate(JSON.stringify(body))))
  }

  async function replay(request: RecordedRequest): Promise<string[]> {
    const { method, sent, document, shape, frames } = request
    const target = translate(request.target)
    const [, deckId] = /(?:\/presentation\/(?:stream\/)?|[?]id=)([\da-f-]{36})/.exec(target) ?? []
    currentDeck = deckId ?? currentDeck
    const body = await bodyOf(request)
    const response = await call(user, target, {
      method,
      headers: {
        ...(sent && { 'content-type': sent }),
        ...(document && { 'sec-fetch-dest': 'document', 'sec-fetch-mode': 'navigate' }),
        ...(target.includes('_rsc=') && { rsc: '1' }),
      },
      ...(body && { body: (sent ? JSON.stringify(body) : body) as Body }),
    })
    const text = await response.text()
    const [type = ''] = (response.headers.get('content-type') ?? '').split(';')
    if (response.status !== request.status) {
      const isOfUpstream = /"Not Found"|This page could not be found/.test(text)
      const by = isOfUpstream ? 'upstream' : 'the gateway'
      return [`status ${response.status} of ${by}: ${text.slice(0, 200)}`]
    }
    const differences = request.type === type || !request.type ? [] : [`type ${type}`]
    if (shape !== undefined) differences.push(...differencesOf(shape, JSON.parse(text), ids))
    if (frames) differences.push(...compareFrames(frames, text))
    return differences
  }

  function compareFrames(recorded: NonNullable<RecordedRequest['frames']>, text: string) {
    const actual = framesOf(text)
    const last = [...actual.values()].at(-1)?.at(-1) as Body | undefined
    const made = last?.['presentation'] as { outlines?: { slides: unknown } } | undefined
    if (made?.outlines) outlines = made.outlines.slides
    const additional = [...actual.keys()].filter((name) => !(name in recorded))
    return [
      ...additional.map((name) => `frame ${name}: additional`),
      ...Object.entries(recorded).flatMap(([name, shape]) => {
        const messages = actual.get(name) ?? []
        if (messages.length === 0) return [`frame ${name}: missing`]
        return messages.flatMap((one) => differencesOf(shape, one, ids, `frame ${name}`))
      }),
    ]
  }

  function isKnown(difference: string): boolean {
    const rows = known.filter(({ where, what }) => {
      const [request = '', found = ''] = difference.split(' → ')
      return where.test(request) && what.test(found)
    })
    for (const row of rows) used.add(row)
    return rows.length > 0
  }

  test.each(readSessions('v0.9.3'))('$session', { timeout: 60_000 }, async ({ requests }) => {
    const unexpected: string[] = []
    for (const request of requests) {
      const found = await replay(request)
      const shown = new Set(found.map((one) => `${request.method} ${request.target} → ${one}`))
      unexpected.push(...[...shown].filter((one) => !isKnown(one)))
    }
    expect(unexpected).toEqual([])
  })

  test('what was paid for was paid for once', () => {
    const { spend, generatedImages, edits } = world.presenton
    // The first deck and its regeneration, and the deck of the upload page.
    expect(spend.slideStreams).toBe(3)
    expect({ generatedImages, edits }).toEqual({ generatedImages: 4, edits: 4 })
  })

  test('every known difference was found', () => {
    expect(known.filter((row) => !used.has(row))).toEqual([])
  })
})

describe('upstream 0.7.3', () => {
  test('has no slide maker: each request of its interface is 503, and upstream is not called', async () => {
    const requests = readSessions('v0.7.3').flatMap((session) => session.requests)
    const world = await openWorld({
      ...{ shape: 'A1', env: { ...makerEnv, MAKER_RATE_PER_MINUTE: '100000' } },
    })
    onTestFinished(() => world.close())
    const browser = createMakerBrowser(() => world.gateways[0]?.makerUrl ?? '')
    await expect.poll(async () => (await browser.open('/dashboard')).status).toBe(503)
    const statuses = new Set<number>()
    const upstream = await world.upstreamDuring(async () => {
      for (const { method, target, body } of requests)
        statuses.add((await browser.fetch(target, { method, body })).status)
    })
    expect(requests.length).toBeGreaterThan(40)
    expect([...statuses]).toEqual([503])
    expect(upstream).toEqual([])
  }, 60_000)
})
