import { describe, expect, it } from 'vitest'
import { type EncodedEvent, encodeEvent } from '../contract/events.ts'
import { createPendingEvents, type TextEvent } from './pending-events.ts'

function openPending() {
  const pending = createPendingEvents()
  const encoded: EncodedEvent[] = []
  const add = (text: string, kind = 'outline_chunk') => {
    const encode: TextEvent['encode'] = (chunk) => {
      const event = encodeEvent('outline_chunk', { chunk }, { run: 1, stage: 'outlines' })
      encoded.push(event)
      return event
    }
    pending.add({ kind, text, encode })
  }
  return { pending, encoded, add }
}

const chunksOf = (events: EncodedEvent[]) => events.map(({ data }) => JSON.parse(data).chunk)

describe('the events that wait for the database', () => {
  it.each([
    ['ASCII', 'word '],
    ['Chinese', '幻灯片'],
    ['emoji', 'a😀'],
    ['quotes and line ends', '"\n'],
    ['control characters', '\u0001'],
  ])('keep each event within 16 KiB and lose no text: %s', (_, word) => {
    const { pending, add } = openPending()
    const text = word.repeat(20_000)
    for (let from = 0; from < text.length; from += 5000) add(text.slice(from, from + 5000))
    const events = pending.encode()
    for (const { data } of events) expect(Buffer.byteLength(data)).toBeLessThanOrEqual(16 * 1024)
    expect(chunksOf(events).join('')).toBe(text)
    const smallest = Math.min(...events.slice(0, -1).map(({ data }) => Buffer.byteLength(data)))
    expect(smallest).toBeGreaterThan(8 * 1024)
  })

  it('are encoded once, however many pieces they consist of', () => {
    const { pending, encoded, add } = openPending()
    for (let n = 0; n < 100_000; n += 1) add('token ')
    const events = pending.encode()
    expect(encoded).toHaveLength(events.length)
    const bytes = encoded.reduce((sum, { data }) => sum + data.length, 0)
    expect(bytes).toBeLessThan(600_000 * 1.02)
  })

  it('split no surrogate pair within a text', () => {
    const { pending, add } = openPending()
    add(`a${'😀'.repeat(30_000)}`)
    for (const chunk of chunksOf(pending.encode())) expect(chunk.isWellFormed()).toBe(true)
  })

  it('join only neighbours of the same kind', () => {
    const { pending, add } = openPending()
    add('a')
    add('b')
    add('c', 'other')
    add('d')
    expect(chunksOf(pending.encode())).toEqual(['ab', 'c', 'd'])
  })

  it('are none for an empty text', () => {
    const { pending, add } = openPending()
    add('')
    expect(pending.encode()).toEqual([])
  })
})
