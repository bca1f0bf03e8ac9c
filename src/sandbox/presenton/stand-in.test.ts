import { existsSync } from 'node:fs'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createCaller, finishDeck, messagesOf, prepareDeck } from './caller.ts'
import { readZip } from './content/zip.ts'
import { openStandIn, type StandInOptions, shapes } from './stand-in.ts'

async function open(options: StandInOptions = {}) {
  const presenton = await openStandIn(options)
  onTestFinished(() => presenton.close())
  return { presenton, caller: createCaller(presenton) }
}

const kindsOf = (stream: string) => messagesOf(stream).map(({ type }) => type)

describe.each(shapes)('a run on shape %s', (shape) => {
  it('goes from a summary to a whole PPTX and PDF with the same slides', async () => {
    const { presenton, caller } = await open({ shape })
    const id = await caller.create({ n_slides: 4, include_table_of_contents: true })

    const outlines = messagesOf((await caller.outlines(id)).text)
    const done = outlines.at(-1)?.presentation
    expect(outlines.map(({ chunk }) => chunk ?? '').join('')).toBe(JSON.stringify(done?.outlines))
    expect(done?.outlines.slides).toHaveLength(4)

    const prepared = await caller.prepare(id, done?.outlines.slides ?? [])
    expect(prepared.status).toBe(200)
    expect(Object.keys(JSON.parse(prepared.text))).toHaveLength(shape.startsWith('B') ? 1 : 18)

    const stream = (await caller.slides(id)).text
    const chunks = messagesOf(stream).flatMap(({ type, chunk }) =>
      type === 'chunk' ? [chunk as string] : [],
    )
    const parts = chunks.slice(1, -1).map((chunk) => JSON.parse(chunk))
    expect(parts.map(({ index }) => index)).toEqual([0, 1, 2, 3])
    expect([chunks[0], chunks.at(-1)]).toEqual(['{ "slides": [ ', ' ] }'])
    expect(() => JSON.parse(chunks.join(''))).toThrow()
    expect(kindsOf(stream).filter((type) => type === 'slide_assets')).toHaveLength(
      shape === 'A1' ? 0 : 4,
    )
    expect(messagesOf(stream).at(-1)?.presentation?.slides).toEqual(parts)
    expect(presenton.decks.get(id)?.slides.map((slide) => slide.id)).toEqual(
      parts.map((part) => part.id),
    )

    for (const format of ['pptx', 'pdf']) {
      const { status, text } = await caller.export(id, format)
      expect(status).toBe(200)
      const file = await caller.file(JSON.parse(text).path)
      expect(file.status).toBe(200)
      if (format === 'pdf')
        expect(file.bytes.toString('latin1').match(/\/Type \/Page\b/g)).toHaveLength(4)
      else
        expect(
          [...(await readZip(file.bytes)).keys()].filter((name) =>
            /slides\/slide\d+\.xml$/.test(name),
          ),
        ).toHaveLength(4)
    }
    const paid = { outlines: 1, prepares: 1, slideStreams: 1, exports: 2 }
    expect(presenton.spend).toEqual(paid)
    expect(presenton.spendOf(id)).toEqual(paid)
  })

  it('answers reading and deleting, and 404 afterwards', async () => {
    const { presenton, caller } = await open({ shape })
    const id = await finishDeck(caller)
    const deck = JSON.parse((await caller.send('GET', `presentation/${id}`)).text)
    expect(deck.slides.map((slide: { index: number }) => slide.index)).toEqual([0, 1, 2])
    expect(JSON.parse((await caller.send('GET', 'presentation/all')).text)).toHaveLength(1)
    const gone = await caller.send('DELETE', `presentation/${id}`)
    expect([gone.status, gone.text]).toEqual([204, ''])
    expect((await caller.send('GET', `presentation/${id}`)).text).toBe(
      '{"detail":"Presentation not found"}',
    )
    expect(presenton.decks.size).toBe(0)
  })
})

describe('the stand-in', () => {
  it('makes a new deck for every create: two calls, two decks', async () => {
    const { presenton, caller } = await open()
    expect(await caller.create()).not.toBe(await caller.create())
    expect(presenton.decks.size).toBe(2)
  })

  it('writes all slides anew, with new ids, at a second stream', async () => {
    const { presenton, caller } = await open()
    const id = await finishDeck(caller)
    const before = presenton.decks.get(id)?.slides.map((slide) => slide.id)
    await caller.slides(id)
    const after = presenton.decks.get(id)?.slides.map((slide) => slide.id)
    expect(after).toHaveLength(3)
    expect(after?.some((slide) => before?.includes(slide))).toBe(false)
  })

  it.each([
    ['A1', [0, 0, 1, 1, 2, 2]],
    ['B1', [0, 1, 2]],
  ] as const)(
    'with two slide streams of one deck at once, keeps on %s the indexes %j; one more alone heals it',
    async (shape, indexes) => {
      const { presenton, caller } = await open({ shape })
      const id = await prepareDeck(caller)
      presenton.gates.hold('slides:complete')
      const both = [caller.slides(id), caller.slides(id)]
      await presenton.gates.arrived('slides:complete', 2)
      presenton.gates.release('slides:complete')
      for (const { text } of await Promise.all(both)) expect(kindsOf(text).at(-1)).toBe('complete')
      expect(presenton.decks.get(id)?.slides.map(({ index }) => index)).toEqual(indexes)
      await caller.slides(id)
      expect(presenton.decks.get(id)?.slides.map(({ index }) => index)).toEqual([0, 1, 2])
    },
  )

  it.each(['outlines', 'slides'] as const)(
    'stores nothing when the caller leaves in the middle of the %s',
    async (stage) => {
      const { presenton, caller } = await open()
      const id = stage === 'slides' ? await prepareDeck(caller) : await caller.create()
      const point = stage === 'slides' ? 'slides:slide' : 'outlines:chunk'
      presenton.gates.hold(point)
      presenton.gates.release(point, 1)
      const response = await caller.call(
        'GET',
        stage === 'slides' ? `presentation/stream/${id}` : `outlines/stream/${id}`,
      )
      await presenton.gates.arrived(point, 2)
      await response.body?.cancel()
      await expect.poll(() => presenton.journal.at(-1)?.aborted).toBe(true)
      expect(presenton.gates.waiting(point)).toBe(0)
      const deck = presenton.decks.get(id)
      expect(stage === 'slides' ? deck?.slides : deck?.outlines).toEqual(
        stage === 'slides' ? [] : null,
      )
    },
  )

  it('writes an export all the same when its caller hangs up', async () => {
    const { presenton, caller } = await open({ shape: 'A1' })
    const id = await finishDeck(caller, { content: 'Hung up. On it.' })
    presenton.gates.hold('export:work')
    const leaving = new AbortController()
    const body = JSON.stringify({ id, export_as: 'pptx' })
    const headers = { 'content-type': 'application/json' }
    const url = `${presenton.url}/api/v1/ppt/presentation/export`
    const call = fetch(url, { method: 'POST', body, headers, signal: leaving.signal })
    await presenton.gates.arrived('export:work')
    leaving.abort()
    await expect(call).rejects.toThrow()
    presenton.gates.release('export:work')
    await expect.poll(() => presenton.decks.get(id)?.exports[0]?.whole).toBe(true)
    expect(existsSync(presenton.decks.get(id)?.exports[0]?.file ?? '')).toBe(true)
  })

  it('on A writes equal titles into one file in place: a reader meanwhile gets a shorter one under a matching length', async () => {
    const { presenton, caller } = await open({ shape: 'A1' })
    const id = await finishDeck(caller)
    const first = JSON.parse((await caller.export(id)).text).path
    const whole = (await caller.file(first)).bytes
    presenton.gates.hold('export:write')
    const second = caller.export(id)
    presenton.gates.release('export:write', 3)
    await presenton.gates.arrived('export:write', 4)
    const meanwhile = await caller.file(first)
    expect(meanwhile.status).toBe(200)
    expect(Number(meanwhile.headers.get('content-length'))).toBe(meanwhile.bytes.length)
    expect(meanwhile.bytes.length).toBeLessThan(whole.length)
    expect(meanwhile.bytes.subarray(0, 2).toString()).toBe('PK')
    await expect(readZip(meanwhile.bytes)).rejects.toThrow()
    presenton.gates.release('export:write')
    expect(JSON.parse((await second).text).path).toBe(first)
  })

  it('becomes another version under a running caller', async () => {
    const { presenton, caller } = await open({ shape: 'A1' })
    const id = await finishDeck(caller)
    presenton.setShape('B1')
    expect(presenton.shape).toBe('B1')
    const refused = await caller.send('POST', 'presentation/export', { id, export_as: 'pptx' })
    expect([refused.status, refused.headers.get('allow')]).toEqual([405, 'GET'])
    expect((await createCaller({ url: presenton.url, shape: 'B1' }).export(id)).status).toBe(200)
  })

  it('refuses callers while it is down, and is back on the same port', async () => {
    const { presenton, caller } = await open()
    const id = await caller.create()
    presenton.gates.hold('read')
    const cut = caller.send('GET', `presentation/${id}`)
    await presenton.gates.arrived('read')
    await presenton.faults.down()
    await expect(cut).rejects.toThrow()
    await expect(caller.send('GET', 'presentation/all')).rejects.toThrow()
    await presenton.faults.up()
    presenton.gates.release('read')
    expect((await caller.send('GET', `presentation/${id}`)).status).toBe(200)
  })

  it('keeps a journal of what it was asked', async () => {
    const { presenton, caller } = await open({ shape: 'A1' })
    const id = await caller.create()
    await caller.send('GET', `presentation/${id}?x=1`)
    await caller.send('GET', 'presentation/nope')
    const calls = presenton.journal.map(({ method, path, operation, status, deckId }) => ({
      method,
      path,
      operation,
      status,
      deckId,
    }))
    expect(calls).toEqual([
      {
        method: 'POST',
        path: '/api/v1/ppt/presentation/create',
        operation: 'create',
        status: 200,
        deckId: id,
      },
      {
        method: 'GET',
        path: `/api/v1/ppt/presentation/${id}?x=1`,
        operation: 'read',
        status: 200,
        deckId: id,
      },
      {
        method: 'GET',
        path: '/api/v1/ppt/presentation/nope',
        operation: 'read',
        status: 422,
        deckId: 'nope',
      },
    ])
  })

  it('removes the directory that it made when it closes', async () => {
    const presenton = await openStandIn()
    const caller = createCaller(presenton)
    await caller.export(await finishDeck(caller))
    expect(existsSync(presenton.appDataDir)).toBe(true)
    await presenton.close()
    expect(existsSync(presenton.appDataDir)).toBe(false)
    await presenton.close()
  })
})
