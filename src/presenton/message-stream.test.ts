import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Problem } from '../domain/problem.ts'
import { parseCompletedOutlines, parseCompletedSlides } from './deck-responses.ts'
import { readMessageStream } from './message-stream.ts'
import type { Message } from './messages.ts'

const recorded = {
  slides: readFileSync(new URL('./fixtures/slides-0.7.3.txt', import.meta.url)),
  outlines: readFileSync(new URL('./fixtures/outlines-0.7.3.txt', import.meta.url)),
}

async function* splitAt(bytes: Uint8Array, cuts: number[]): AsyncGenerator<Uint8Array> {
  let from = 0
  for (const cut of [...cuts.sort((a, b) => a - b), bytes.length]) {
    yield bytes.subarray(from, cut)
    from = cut
  }
}

interface ReadResult {
  messages: Message[]
  failure?: unknown
  dropped: string[]
}

async function readAll(
  chunks: AsyncGenerator<Uint8Array>,
  {
    checkComplete = () => {},
    maxMessageBytes = 1 << 24,
  }: { checkComplete?: (complete: Message) => unknown; maxMessageBytes?: number } = {},
): Promise<ReadResult> {
  const messages: Message[] = []
  const dropped: string[] = []
  const onTrouble = (trouble: object) => dropped.push(JSON.stringify(trouble))
  try {
    for await (const batch of readMessageStream(chunks, {
      maxMessageBytes,
      checkComplete,
      onTrouble,
    }))
      messages.push(...batch)
    return { messages, dropped }
  } catch (failure) {
    return { messages, failure, dropped }
  }
}

const read = (text: string, options = {}) => readAll(splitAt(Buffer.from(text), []), options)
const frame = (value: unknown) => `event: response\ndata: ${JSON.stringify(value)}\n\n`
const complete = frame({ type: 'complete', presentation: {} })
const fault = { code: 'UPSTREAM_ERROR', failure: 'fault' }

describe('A message stream', () => {
  it('yields the messages of recorded bodies', async () => {
    const slides = await readAll(splitAt(recorded.slides, []), {
      checkComplete: parseCompletedSlides,
    })
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
    const outlines = await readAll(splitAt(recorded.outlines, []), {
      checkComplete: parseCompletedOutlines,
    })
    const found = parseCompletedOutlines(outlines.messages.at(-1) as Message)
    expect(found.outlines).toHaveLength(3)
    expect(found.title).toMatch(/^Quarterly review .* é$/)
  })

  it.each(['slides', 'outlines'] as const)(
    'yields the same messages wherever the recorded %s are split, also with CRLF',
    async (name) => {
      for (const bytes of [
        recorded[name],
        Buffer.from(recorded[name].toString().replaceAll('\n', '\r\n')),
      ]) {
        const whole = await readAll(splitAt(bytes, []))
        for (let cut = 1; cut < bytes.length; cut++) {
          const { messages, failure } = await readAll(splitAt(bytes, [cut]))
          if (failure || messages.length !== whole.messages.length)
            expect({ cut, messages, failure }).toEqual({
              cut,
              messages: whole.messages,
              failure: undefined,
            })
        }
        expect(
          await readAll(
            splitAt(
              bytes,
              Array.from(bytes, (_, at) => at),
            ),
          ),
        ).toEqual(whole)
      }
    },
  )

  it('yields the same messages in any pieces and with any line ends', async () => {
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
            splitAt(
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

  it('throws only Problems, and always ends, for any bytes', async () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.string().map((text) => Buffer.from(`data: ${text}\n\n`)),
      fc.json().map((text) => Buffer.from(`data: ${text}\n\n`)),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(bytes), async (parts) => {
        const { failure } = await readAll(splitAt(Buffer.concat(parts), []), {
          maxMessageBytes: 64,
        })
        expect(failure).toBeInstanceOf(Problem)
      }),
    )
  })

  it('ends with the first complete and ignores what follows', async () => {
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

  it('fails if the body ends without complete, or before its empty line', async () => {
    expect((await read('')).failure).toMatchObject(fault)
    expect((await read(complete.trimEnd())).failure).toMatchObject(fault)
    expect((await read(frame({ type: 'chunk', chunk: 'a' }))).messages).toHaveLength(1)
  })

  it('accepts a complete whose last line end is a lone carriage return', async () => {
    expect((await read('data: {"type":"complete"}\r\r')).failure).toBeUndefined()
  })

  it('fails at an error message, after the messages before it, and reports its text for the log only', async () => {
    const { messages, failure, dropped } = await read(
      frame({ type: 'chunk', chunk: 'a' }) +
        frame({ type: 'error', detail: 'no key sk-abcdef' }) +
        complete,
    )
    expect(messages.map(({ type }) => type)).toEqual(['chunk'])
    expect(failure).toMatchObject({ ...fault, detail: 'The presentation generator failed.' })
    expect(dropped).toEqual(['{"reported":"no key [secret]"}'])
  })

  it('fails at a complete without the expected content, and does not yield it', async () => {
    for (const presentation of [
      undefined,
      null,
      {},
      { slides: [] },
      { slides: [{}] },
      { slides: [{ index: -1 }] },
    ]) {
      const { messages, failure } = await read(frame({ type: 'complete', presentation }), {
        checkComplete: parseCompletedSlides,
      })
      expect(messages).toEqual([])
      expect(failure).toMatchObject(fault)
    }
    for (const outlines of [undefined, null, {}, { slides: [] }, { slides: ['text'] }]) {
      expect(
        (
          await read(frame({ type: 'complete', presentation: { outlines } }), {
            checkComplete: parseCompletedOutlines,
          })
        ).failure,
      ).toMatchObject(fault)
    }
  })

  it('yields unknown types and event names, and drops what it cannot parse', async () => {
    const invalid = [
      'data: {broken\n\n',
      'data: [1]\n\n',
      'data: null\n\n',
      'data: {"type":7}\n\n',
      'data: {}\n\n',
    ]
    const { messages, dropped } = await read(
      `${invalid.join('')}event: novel\ndata: {"type":"hologram","x":1}\n\n${complete}`,
    )
    expect(messages.map(({ type }) => type)).toEqual(['hologram', 'complete'])
    expect(dropped).toEqual(
      ['not JSON', 'not an object', 'not an object', 'no type', 'no type'].map((reason) =>
        JSON.stringify({ dropped: reason }),
      ),
    )
  })

  it('fails at a message over the bound, in any pieces, with or without line ends', async () => {
    const large = frame({ type: 'chunk', chunk: 'x'.repeat(2000) })
    const options = { maxMessageBytes: 1000 }
    for (const text of [large + complete, `data: ${'x'.repeat(5000)}`, 'data: x\n'.repeat(2000)]) {
      const bytes = Buffer.from(frame({ type: 'status', status: 'a' }) + text)
      for (const cuts of [[], Array.from({ length: bytes.length / 100 }, (_, at) => at * 100)]) {
        const { messages, failure } = await readAll(splitAt(bytes, cuts), options)
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
