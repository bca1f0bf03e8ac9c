// Faults of the streams: slides and outlines.

import { describe, expect, it } from 'vitest'
import type { FaultName } from '../stand-in.ts'
import { messagesOf, prepareDeck } from '../test-client.ts'
import { secretsIn } from './model-failures.ts'
import { openFaulty, readSlides, typesOf } from './test-faults.ts'

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
    const all = await openFaulty({ shape: 'A1' })
    const id = await prepareDeck(all.client)
    all.presenton.faults.inject(name)
    const stream = await readSlides(all, id)
    expect(stream.ended).toBe(ended)
    expect(typesOf(stream.text)).toEqual(seen)
    expect(all.presenton.decks.get(id)?.slides).toHaveLength(stored)
    expect(all.presenton.spendOf(id).slideStreams).toBe(1)
  })

  it('applies to the given slide', async () => {
    const all = await openFaulty({ shape: 'A1' })
    const id = await prepareDeck(all.client)
    all.presenton.faults.inject('slides:error-429', { at: 3 })
    expect(typesOf((await readSlides(all, id)).text)).toEqual(['chunk', 'chunk', 'chunk', 'error'])
  })

  it('closes the connection in the middle of an event', async () => {
    const all = await openFaulty({ shape: 'A1' })
    const id = await prepareDeck(all.client)
    all.presenton.faults.inject('slides:cut')
    const { text, ended } = await readSlides(all, id)
    expect(ended).toBe('cut')
    expect(text).toMatch(/event: response\ndata: \{"type": "chunk", "chunk": "\{[^\n]*$/)
  })

  it('stalls until the client disconnects', async () => {
    const all = await openFaulty({ shape: 'B1' })
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
    const all = await openFaulty({ shape: 'B1' })
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
    const all = await openFaulty({ shape: 'A1' })
    const id = await prepareDeck(all.client)
    all.presenton.faults.inject('slides:oversized')
    expect((await readSlides(all, id)).text.length).toBeGreaterThan(64 * 2 ** 20)
    all.presenton.faults.inject('slides:garbage')
    expect((await readSlides(all, id)).text).toContain('\u0000\u0001\u0002')
    all.presenton.faults.inject('slides:unknown-kinds')
    expect(typesOf((await readSlides(all, id)).text)).toContain('weather')
  })

  it('puts secrets into an error text, for tests that search for leaks', async () => {
    const all = await openFaulty({ shape: 'B1' })
    const id = await prepareDeck(all.client)
    all.presenton.faults.inject('slides:error-secrets')
    const { text } = await readSlides(all, id)
    expect(secretsIn(text)).not.toEqual([])
  })

  it('completes without slides, or with one missing', async () => {
    const all = await openFaulty({ shape: 'B1' })
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
      const { presenton, client } = await openFaulty({ shape })
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
      const { presenton, client } = await openFaulty({ shape })
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
