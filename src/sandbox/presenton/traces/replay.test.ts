import { readFileSync } from 'node:fs'
import { describe, expect, it, onTestFinished } from 'vitest'
import { readZip } from '../content/zip.ts'
import { frame } from '../event-stream.ts'
import { compactJson } from '../python-json.ts'
import { openStandIn } from '../stand-in.ts'
import { createTestClient, messagesOf } from '../test-client.ts'
import { framesOf, type Recording } from './replay.ts'

const recorded = (recording: Recording, name: string) =>
  readFileSync(new URL(`./${recording}/${name}`, import.meta.url), 'utf8')

async function replay(recording: Recording) {
  const presenton = await openStandIn({ replay: recording })
  onTestFinished(() => presenton.close())
  return { presenton, client: createTestClient(presenton) }
}

describe.each(['v0.7.3', 'v0.9.3'] as const)('a recorded run of %s', (recording) => {
  it('is replayed byte for byte, and exported as a real PPTX of the recorded slides', async () => {
    const { presenton, client } = await replay(recording)
    const fields = {
      content: 'Quarterly review of the support team',
      n_slides: 3,
      language: 'English',
    }
    const created = await client.send('POST', 'presentation/create', fields)
    expect(created.text).toBe(recorded(recording, 'create.body'))
    const { id } = JSON.parse(created.text)

    const outlines = (await client.outlines(id)).text
    expect(outlines).toBe(recorded(recording, 'outlines.sse'))
    const written = messagesOf(outlines).at(-1)?.presentation?.outlines.slides ?? []
    expect((await client.prepare(id, written)).status).toBe(200)
    expect((await client.slides(id)).text).toBe(recorded(recording, 'slides.sse'))

    const { text } = await client.send('GET', `presentation/${id}`)
    if (recording === 'v0.7.3') expect(text).toBe(recorded(recording, 'read.body'))
    else expect(Buffer.byteLength(text)).toBe(19_070) // as recorded

    const { path } = JSON.parse((await client.export(id)).text)
    const archive = await readZip((await client.file(path)).bytes)
    expect([...archive.keys()].filter((name) => /slides\/slide\d\.xml$/.test(name))).toHaveLength(3)
    expect(presenton.spend).toEqual({ outlines: 1, prepares: 1, slideStreams: 1, exports: 1 })
  })

  it('has the same framing as events of the stand-in', () => {
    const framedByUs = (text: string) => frame(JSON.parse(text.slice(text.indexOf('{'))))
    for (const { text, kind } of framesOf(recorded(recording, 'outlines.sse')))
      if (kind !== 'tail') expect(framedByUs(text)).toBe(text)
    for (const { text } of framesOf(recorded(recording, 'slides.sse')))
      expect(framedByUs(text)).toBe(text)
  })

  it('has the same compact JSON as replies of the stand-in', () => {
    for (const name of ['create.body', ...(recording === 'v0.7.3' ? ['read.body'] : [])]) {
      expect(compactJson(JSON.parse(recorded(recording, name)))).toBe(recorded(recording, name))
    }
    const { chunk } = messagesOf(recorded(recording, 'slides.sse'))[1] ?? {}
    expect(compactJson(JSON.parse(chunk ?? ''))).toBe(chunk)
  })
})

describe.each([
  ['A1', 'v0.7.3'],
  ['B1', 'v0.9.3'],
] as const)('replies and events of the stand-in as %s', (shape, recording) => {
  const keysOf = (value: unknown) => Object.keys(value as object)

  it('have the keys of the recording, in its order', async () => {
    const presenton = await openStandIn({ shape })
    onTestFinished(() => presenton.close())
    const client = createTestClient(presenton)
    const created = await client.send('POST', 'presentation/create', {
      content: 'One. Two.',
      n_slides: 3,
      language: 'English',
    })
    expect(keysOf(JSON.parse(created.text))).toEqual(
      keysOf(JSON.parse(recorded(recording, 'create.body'))),
    )
    const { id } = JSON.parse(created.text)

    const [ours, theirs] = [
      (await client.outlines(id)).text,
      recorded(recording, 'outlines.sse'),
    ].map(messagesOf)
    const statuses = (messages = ours) => messages?.filter(({ type }) => type === 'status')
    expect(statuses(ours)).toEqual(statuses(theirs))
    expect(keysOf(ours?.at(-1)?.presentation)).toEqual(keysOf(theirs?.at(-1)?.presentation))

    await client.prepare(id, ours?.at(-1)?.presentation?.outlines.slides ?? [])
    const [ourSlides, theirSlides] = [
      (await client.slides(id)).text,
      recorded(recording, 'slides.sse'),
    ].map(messagesOf)
    expect(ourSlides?.map(({ type }) => type).sort()).toEqual(
      theirSlides?.map(({ type }) => type).sort(),
    )
    expect(keysOf(ourSlides?.at(-1)?.presentation)).toEqual(
      keysOf(theirSlides?.at(-1)?.presentation),
    )
    expect(keysOf(JSON.parse(ourSlides?.[1]?.chunk ?? ''))).toEqual(
      keysOf(JSON.parse(theirSlides?.[1]?.chunk ?? '')),
    )
    expect(keysOf(ourSlides?.at(-1)?.presentation?.slides[0])).toEqual(
      keysOf(theirSlides?.at(-1)?.presentation?.slides[0]),
    )
  })
})
