import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Problem } from '../domain/problem.ts'
import { parseCompletedOutlines, parseCompletedSlides } from './deck-responses.ts'
import type { Message } from './messages.ts'
import { readStream } from './stream.ts'

const recorded = {
  slides: readFileSync(new URL('./fixtures/slides-0.7.3.txt', import.meta.url)),
  outlines: readFileSync(new URL('./fixtures/outlines-0.7.3.txt', import.meta.url)),
}

async function* inPieces(bytes: Uint8Array, cuts: number[]): AsyncGenerator<Uint8Array> {
  let from = 0
  for (const cut of [...cuts.sort((a, b) => a - b), bytes.length]) {
    yield bytes.subarray(from, cut)
    from = cut
  }
}

interface Read {
  messages: Message[]
  failure?: unknown
  dropped: string[]
}

async function readAll(
  chunks: AsyncGenerator<Uint8Array>,
  {
    check = () => {},
    maxMessageBytes = 1 << 24,
  }: { check?: (complete: Message) => unknown; maxMessageBytes?: number } = {},
): Promise<Read> {
  const messages: Message[] = []
  const dropped: string[] = []
  const onTrouble = (trouble: object) => dropped.push(JSON.stringify(trouble))
  try {
    for await (const batch of readStream(chunks, { maxMessageBytes, check, onTrouble }))
      messages.push(...batch)
    return { messages, dropped }
  } catch (failure) {
    return { messages, failure, dropped }
  }
}

const read = (text: string, options = {}) => readAll(inPieces(Buffer.from(text), []), options)
const frame = (value: unknown) => `event: response\ndata: ${JSON.stringify(value)}\n\n`
const complete = frame({ type: 'complete', presentation: {} })
const fault = { code: 'UPSTREAM_ERROR', failure: 'fault' }

describe('A stream of upstream', () => {
  it('reads the recorded bodies', async () => {
    const slides = await readAll(inPieces(recorded.slides, []), { check: parseCompletedSlides })
    expect(slides.failure).toBeUndefined()
    expect(slides.messages.map(({ type }) => type)).toEqual([
      'chunk',
      'chunk',
      'chunk',
      'chunk',
      'chunk',
      'complete',
    ])
    expect(
      parseCompletedSlides(slides.messages.at(-1) as Message).slides.map(({ index }) => index),
    ).toEqual([0, 1, 2])
    const outlines = await readAll(inPieces(recorded.outlines, []), {
      check: parseCompletedOutlines,
    })
    const found = parseCompletedOutlines(outlines.messages.at(-1) as Message)
    expect(found.outlines).toHaveLength(3)
    expect(found.title).toMatch(/^Quarterly review .* é$/)
  })

  it.each(['slides', 'outlines'] as const)(
    'gives the same messages wherever the recorded %s are cut in two, also with CRLF',
    async (name) => {
      for (const bytes of [
        recorded[name],
        Buffer.from(recorded[name].toString().replaceAll('\n', '\r\n')),
      ]) {
        const whole = await readAll(inPieces(bytes, []))
        for (let cut = 1; cut < bytes.length; cut++) {
          const { messages, failure } = await readAll(inPieces(bytes, [cut]))
          if (failure || messages.length !== whole.messages.length)
            expect({ cut, messages, failure }).toEqual({
              cut,
              messages: whole.messages,
              failure: undefined,
            })
        }
        expect(
          await readAll(
            inPieces(
              bytes,
              Array.from(bytes, (_, at) => at),
            ),
          ),
        ).toEqual(whole)
      }
    },
  )

  it('gives the same messages in any pieces and with any line ends', async () => {
    const piece = fc.record({
      text: fc.string({ unit: 'grapheme' }),
      end: fc.constantFrom('\n', '\r\n', '\r'),
      noise: fc.constantFrom('', ': ping', 'id: 7', 'retry: 5', 'odd: field', 'event: other'),
    })
    await fc.assert(
      fc.asyncProperty(
        fc.array(piece, { maxLength: 8 }),
        fc.array(fc.nat()),
        async (pieces, cuts) => {
          const values = pieces.map(({ text }) => ({ type: 'chunk', chunk: text }))
          const text = pieces
            .map(({ end, noise }, at) =>
              [noise, `data: ${JSON.stringify(values[at])}`, '', '']
                .filter((line, i) => i > 0 || line !== '')
                .join(end),
            )
            .join('')
          const bytes = Buffer.from(`\uFEFF${text}${complete}`)
          const { messages, failure, dropped } = await readAll(
            inPieces(
              bytes,
              cuts.map((cut) => cut % bytes.length),
            ),
          )
          expect(failure).toBeUndefined()
          expect(dropped).toEqual([])
          expect(messages.slice(0, -1).map(({ value }) => value)).toEqual(values)
        },
      ),
    )
  })

  it('throws nothing but a Problem, and always ends, whatever bytes come', async () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.string().map((text) => Buffer.from(`data: ${text}\n\n`)),
      fc.json().map((text) => Buffer.from(`data: ${text}\n\n`)),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(bytes), async (parts) => {
        const { failure } = await readAll(inPieces(Buffer.concat(parts), []), {
          maxMessageBytes: 64,
        })
        expect(failure).toBeInstanceOf(Problem)
      }),
    )
  })

  it('ends with the first complete; what comes after it does not count', async () => {
    let closed = false
    async function* endless() {
      try {
        yield Buffer.from(
          frame({ type: 'status', status: 'a' }) +
            complete +
            complete +
            frame({ type: 'error', detail: 'late' }),
        )
        throw new Error('read on')
      } finally {
        closed = true
      }
    }
    const { messages, failure } = await readAll(endless())
    expect(failure).toBeUndefined()
    expect(messages.map(({ type }) => type)).toEqual(['status', 'complete'])
    expect(closed).toBe(true)
  })

  it('fails when the body ends without complete, also with one that lacks its empty line', async () => {
    expect((await read('')).failure).toMatchObject(fault)
    expect((await read(complete.trimEnd())).failure).toMatchObject(fault)
    expect((await read(frame({ type: 'chunk', chunk: 'a' }))).messages).toHaveLength(1)
  })

  it('sees a complete whose last line end is a lone carriage return', async () => {
    expect((await read('data: {"type":"complete"}\r\r')).failure).toBeUndefined()
  })

  it('fails at an error event, after what came before it, and keeps its text to the log', async () => {
    const { messages, failure, dropped } = await read(
      frame({ type: 'chunk', chunk: 'a' }) +
        frame({ type: 'error', detail: 'no key sk-abcdef' }) +
        complete,
    )
    expect(messages.map(({ type }) => type)).toEqual(['chunk'])
    expect(failure).toMatchObject({ ...fault, detail: 'The presentation generator failed.' })
    expect(dropped).toEqual(['{"reported":"no key [secret]"}'])
  })

  it('fails at a complete that brings nothing, and does not give it', async () => {
    for (const presentation of [
      undefined,
      null,
      {},
      { slides: [] },
      { slides: [{}] },
      { slides: [{ index: -1 }] },
    ]) {
      const { messages, failure } = await read(frame({ type: 'complete', presentation }), {
        check: parseCompletedSlides,
      })
      expect(messages).toEqual([])
      expect(failure).toMatchObject(fault)
    }
    for (const outlines of [undefined, null, {}, { slides: [] }, { slides: ['text'] }]) {
      expect(
        (
          await read(frame({ type: 'complete', presentation: { outlines } }), {
            check: parseCompletedOutlines,
          })
        ).failure,
      ).toMatchObject(fault)
    }
  })

  it('passes unknown kinds and event names on, and drops what it cannot parse', async () => {
    const odd = [
      'data: {broken\n\n',
      'data: [1]\n\n',
      'data: null\n\n',
      'data: {"type":7}\n\n',
      'data: {}\n\n',
    ]
    const { messages, dropped } = await read(
      `${odd.join('')}event: novel\ndata: {"type":"hologram","x":1}\n\n${complete}`,
    )
    expect(messages.map(({ type }) => type)).toEqual(['hologram', 'complete'])
    expect(dropped).toEqual(
      ['no JSON', 'no object', 'no object', 'no kind', 'no kind'].map((why) =>
        JSON.stringify({ dropped: why }),
      ),
    )
  })

  it('fails at a message over the bound, in one piece or in many, with or without line ends', async () => {
    const large = frame({ type: 'chunk', chunk: 'x'.repeat(2000) })
    const options = { maxMessageBytes: 1000 }
    for (const text of [large + complete, `data: ${'x'.repeat(5000)}`, 'data: x\n'.repeat(2000)]) {
      const bytes = Buffer.from(frame({ type: 'status', status: 'a' }) + text)
      for (const cuts of [[], Array.from({ length: bytes.length / 100 }, (_, at) => at * 100)]) {
        const { messages, failure } = await readAll(inPieces(bytes, cuts), options)
        expect(messages.map(({ type }) => type)).toEqual(['status'])
        expect(failure).toMatchObject(fault)
      }
    }
    expect(
      (await read(frame({ type: 'chunk', chunk: 'é'.repeat(600) }) + complete, options)).failure,
    ).toMatchObject(fault)
    expect(
      (await read(frame({ type: 'chunk', chunk: 'x'.repeat(900) }) + complete, options)).failure,
    ).toBeUndefined()
  })
})
