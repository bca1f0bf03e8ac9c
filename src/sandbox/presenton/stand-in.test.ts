import { existsSync } from 'node:fs'
import { describe, expect, it, onTestFinished } from 'vitest'
import { readZip } from './content/zip.ts'
import { openStandIn, type StandInOptions, shapes } from './stand-in.ts'
import { createTestClient, finishDeck, messagesOf, prepareDeck } from './test-client.ts'

async function open(options: StandInOptions = {}) {
  const presenton = await openStandIn(options)
  onTestFinished(() => presenton.close())
  return { presenton, client: createTestClient(presenton) }
}

const kindsOf = (stream: string) => messagesOf(stream).map(({ type }) => type)

describe.each(shapes)('a run on shape %s', (shape) => {
  it('leads from a summary to a complete PPTX and PDF with the same slides', async () => {
    const { presenton, client } = await open({ shape })
    const id = await client.create({ n_slides: 4, include_table_of_contents: true })

    const outlines = messagesOf((await client.outlines(id)).text)
    const completed = outlines.at(-1)?.presentation
    expect(outlines.map(({ chunk }) => chunk ?? '').join('')).toBe(
      JSON.stringify(completed?.outlines),
    )
    expect(completed?.outlines.slides).toHaveLength(4)

    const prepared = await client.prepare(id, completed?.outlines.slides ?? [])
    expect(prepared.status).toBe(200)
    expect(Object.keys(JSON.parse(prepared.text))).toHaveLength(shape.startsWith('B') ? 1 : 18)

    const stream = (await client.slides(id)).text
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
      const { status, text } = await client.export(id, format)
      expect(status).toBe(200)
      const file = await client.file(JSON.parse(text).path)
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

  it('reads and deletes a deck, then returns 404', async () => {
    const { presenton, client } = await open({ shape })
    const id = await finishDeck(client)
    const deck = JSON.parse((await client.send('GET', `presentation/${id}`)).text)
    expect(deck.slides.map((slide: { index: number }) => slide.index)).toEqual([0, 1, 2])
    expect(JSON.parse((await client.send('GET', 'presentation/all')).text)).toHaveLength(1)
    const deleted = await client.send('DELETE', `presentation/${id}`)
    expect([deleted.status, deleted.text]).toEqual([204, ''])
    expect((await client.send('GET', `presentation/${id}`)).text).toBe(
      '{"detail":"Presentation not found"}',
    )
    expect(presenton.decks.size).toBe(0)
  })
})

describe('the stand-in', () => {
  it('creates a new deck for every request', async () => {
    const { presenton, client } = await open()
    expect(await client.create()).not.toBe(await client.create())
    expect(presenton.decks.size).toBe(2)
  })

  it('writes all slides again, with new ids, in a second stream', async () => {
    const { presenton, client } = await open()
    const id = await finishDeck(client)
    const before = presenton.decks.get(id)?.slides.map((slide) => slide.id)
    await client.slides(id)
    const after = presenton.decks.get(id)?.slides.map((slide) => slide.id)
    expect(after).toHaveLength(3)
    expect(after?.some((slide) => before?.includes(slide))).toBe(false)
  })

  it.each([
    ['A1', [0, 0, 1, 1, 2, 2]],
    ['B1', [0, 1, 2]],
  ] as const)(
    'keeps on %s the slides %j of two concurrent streams, until another stream replaces them',
    async (shape, indexes) => {
      const { presenton, client } = await open({ shape })
      const id = await prepareDeck(client)
      presenton.gates.hold('slides:complete')
      const both = [client.slides(id), client.slides(id)]
      await presenton.gates.arrived('slides:complete', 2)
      presenton.gates.release('slides:complete')
      for (const { text } of await Promise.all(both)) expect(kindsOf(text).at(-1)).toBe('complete')
      expect(presenton.decks.get(id)?.slides.map(({ index }) => index)).toEqual(indexes)
      await client.slides(id)
      expect(presenton.decks.get(id)?.slides.map(({ index }) => index)).toEqual([0, 1, 2])
    },
  )

  it.each(['outlines', 'slides'] as const)(
    'stores nothing when the client disconnects during the %s',
    async (stage) => {
      const { presenton, client } = await open()
      const id = stage === 'slides' ? await prepareDeck(client) : await client.create()
      const point = stage === 'slides' ? 'slides:slide' : 'outlines:chunk'
      presenton.gates.hold(point)
      presenton.gates.release(point, 1)
      const response = await client.call(
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

  it('completes an export when its client disconnects', async () => {
    const { presenton, client } = await open({ shape: 'A1' })
    const id = await finishDeck(client, { content: 'Disconnected. Early.' })
    presenton.gates.hold('export:work')
    const disconnect = new AbortController()
    const body = JSON.stringify({ id, export_as: 'pptx' })
    const headers = { 'content-type': 'application/json' }
    const url = `${presenton.url}/api/v1/ppt/presentation/export`
    const call = fetch(url, { method: 'POST', body, headers, signal: disconnect.signal })
    await presenton.gates.arrived('export:work')
    disconnect.abort()
    await expect(call).rejects.toThrow()
    presenton.gates.release('export:work')
    await expect.poll(() => presenton.decks.get(id)?.exports[0]?.isComplete).toBe(true)
    expect(existsSync(presenton.decks.get(id)?.exports[0]?.file ?? '')).toBe(true)
  })

  it('overwrites the export of an equal title on A: a concurrent reader gets a part', async () => {
    const { presenton, client } = await open({ shape: 'A1' })
    const id = await finishDeck(client)
    const first = JSON.parse((await client.export(id)).text).path
    const complete = (await client.file(first)).bytes
    presenton.gates.hold('export:write')
    const second = client.export(id)
    presenton.gates.release('export:write', 3)
    await presenton.gates.arrived('export:write', 4)
    const partial = await client.file(first)
    expect(partial.status).toBe(200)
    expect(Number(partial.headers.get('content-length'))).toBe(partial.bytes.length)
    expect(partial.bytes.length).toBeLessThan(complete.length)
    expect(partial.bytes.subarray(0, 2).toString()).toBe('PK')
    await expect(readZip(partial.bytes)).rejects.toThrow()
    presenton.gates.release('export:write')
    expect(JSON.parse((await second).text).path).toBe(first)
  })

  it('changes its shape while a client is connected', async () => {
    const { presenton, client } = await open({ shape: 'A1' })
    const id = await finishDeck(client)
    presenton.setShape('B1')
    expect(presenton.shape).toBe('B1')
    const refused = await client.send('POST', 'presentation/export', { id, export_as: 'pptx' })
    expect([refused.status, refused.headers.get('allow')]).toEqual([405, 'GET'])
    expect((await createTestClient({ url: presenton.url, shape: 'B1' }).export(id)).status).toBe(
      200,
    )
  })

  it('refuses connections while it is down, then listens on the same port', async () => {
    const { presenton, client } = await open()
    const id = await client.create()
    presenton.gates.hold('read')
    const interrupted = client.send('GET', `presentation/${id}`)
    await presenton.gates.arrived('read')
    await presenton.faults.down()
    await expect(interrupted).rejects.toThrow()
    await expect(client.send('GET', 'presentation/all')).rejects.toThrow()
    await presenton.faults.up()
    presenton.gates.release('read')
    expect((await client.send('GET', `presentation/${id}`)).status).toBe(200)
  })

  it('keeps a journal of requests', async () => {
    const { presenton, client } = await open({ shape: 'A1' })
    const id = await client.create()
    await client.send('GET', `presentation/${id}?x=1`)
    await client.send('GET', 'presentation/nope')
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

  it('removes its temporary directory when it closes', async () => {
    const presenton = await openStandIn()
    const client = createTestClient(presenton)
    await client.export(await finishDeck(client))
    expect(existsSync(presenton.appDataDir)).toBe(true)
    await presenton.close()
    expect(existsSync(presenton.appDataDir)).toBe(false)
    await presenton.close()
  })
})
