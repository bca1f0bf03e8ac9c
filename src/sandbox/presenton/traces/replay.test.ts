import { readFileSync } from 'node:fs'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createCaller, messagesOf } from '../caller.ts'
import { readZip } from '../content/zip.ts'
import { frame } from '../event-stream.ts'
import { compactJson } from '../python-json.ts'
import { openStandIn } from '../stand-in.ts'
import { framesOf, type Recording } from './replay.ts'

const recorded = (recording: Recording, name: string) =>
  readFileSync(new URL(`./${recording}/${name}`, import.meta.url), 'utf8')

async function replay(recording: Recording) {
  const presenton = await openStandIn({ replay: recording })
  onTestFinished(() => presenton.close())
  return { presenton, caller: createCaller(presenton) }
}

describe.each(['v0.7.3', 'v0.9.3'] as const)('a recorded run of %s', (recording) => {
  it('is answered byte for byte, and exported as a real PPTX of the recorded slides', async () => {
    const { presenton, caller } = await replay(recording)
    const wish = {
      content: 'Quarterly review of the support team',
      n_slides: 3,
      language: 'English',
    }
    const created = await caller.send('POST', 'presentation/create', wish)
    expect(created.text).toBe(recorded(recording, 'create.body'))
    const { id } = JSON.parse(created.text)

    const outlines = (await caller.outlines(id)).text
    expect(outlines).toBe(recorded(recording, 'outlines.sse'))
    const written = messagesOf(outlines).at(-1)?.presentation?.outlines.slides ?? []
    expect((await caller.prepare(id, written)).status).toBe(200)
    expect((await caller.slides(id)).text).toBe(recorded(recording, 'slides.sse'))

    const { text } = await caller.send('GET', `presentation/${id}`)
    if (recording === 'v0.7.3') expect(text).toBe(recorded(recording, 'read.body'))
    else expect(Buffer.byteLength(text)).toBe(19_070) // what it was when recorded

    const { path } = JSON.parse((await caller.export(id)).text)
    const archive = await readZip((await caller.file(path)).bytes)
    expect([...archive.keys()].filter((name) => /slides\/slide\d\.xml$/.test(name))).toHaveLength(3)
    expect(presenton.spend).toEqual({ outlines: 1, prepares: 1, slideStreams: 1, exports: 1 })
  })

  it('is framed by the stand-in in the same bytes', () => {
    const same = (text: string) => frame(JSON.parse(text.slice(text.indexOf('{'))))
    for (const { text, kind } of framesOf(recorded(recording, 'outlines.sse')))
      if (kind !== 'tail') expect(same(text)).toBe(text)
    for (const { text } of framesOf(recorded(recording, 'slides.sse')))
      expect(same(text)).toBe(text)
  })

  it('is written by the stand-in in the same compact JSON', () => {
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
] as const)('the words of the stand-in as %s', (shape, recording) => {
  const keysOf = (value: unknown) => Object.keys(value as object)

  it('have the keys of the recording, in its order', async () => {
    const presenton = await openStandIn({ shape })
    onTestFinished(() => presenton.close())
    const caller = createCaller(presenton)
    const created = await caller.send('POST', 'presentation/create', {
      content: 'One. Two.',
      n_slides: 3,
      language: 'English',
    })
    expect(keysOf(JSON.parse(created.text))).toEqual(
      keysOf(JSON.parse(recorded(recording, 'create.body'))),
    )
    const { id } = JSON.parse(created.text)

    const [mine, theirs] = [
      (await caller.outlines(id)).text,
      recorded(recording, 'outlines.sse'),
    ].map(messagesOf)
    const statuses = (messages = mine) => messages?.filter(({ type }) => type === 'status')
    expect(statuses(mine)).toEqual(statuses(theirs))
    expect(keysOf(mine?.at(-1)?.presentation)).toEqual(keysOf(theirs?.at(-1)?.presentation))

    await caller.prepare(id, mine?.at(-1)?.presentation?.outlines.slides ?? [])
    const [own, other] = [(await caller.slides(id)).text, recorded(recording, 'slides.sse')].map(
      messagesOf,
    )
    expect(own?.map(({ type }) => type).sort()).toEqual(other?.map(({ type }) => type).sort())
    expect(keysOf(own?.at(-1)?.presentation)).toEqual(keysOf(other?.at(-1)?.presentation))
    expect(keysOf(JSON.parse(own?.[1]?.chunk ?? ''))).toEqual(
      keysOf(JSON.parse(other?.[1]?.chunk ?? '')),
    )
    expect(keysOf(own?.at(-1)?.presentation?.slides[0])).toEqual(
      keysOf(other?.at(-1)?.presentation?.slides[0]),
    )
  })
})
