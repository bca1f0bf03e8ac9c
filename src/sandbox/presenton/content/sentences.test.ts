import { describe, expect, it } from 'vitest'
import { headingOf, lengthOf, shorten, splitSentences } from './sentences.ts'

describe('sentences of a summary', () => {
  it('are found in any script', () => {
    expect(
      splitSentences(
        'One comes. Two comes! 日本語の文です。次の文です！ Первое предложение. Второе?',
      ),
    ).toEqual([
      'One comes.',
      'Two comes!',
      '日本語の文です。',
      '次の文です！',
      'Первое предложение.',
      'Второе?',
    ])
  })

  it('have no marks of headings and lists, and lines without text are dropped', () => {
    expect(splitSentences('## Review\n- first **point**\n2) second\n---\n\n> quoted')).toEqual([
      'Review',
      'first point',
      'second',
      'quoted',
    ])
  })

  it('are split without loss when too long for a slide', () => {
    const long = Array.from({ length: 40 }, (_, index) => `clause number ${index}`).join(', ')
    const parts = splitSentences(long)
    expect(parts.length).toBeGreaterThan(2)
    expect(Math.max(...parts.map(lengthOf))).toBeLessThanOrEqual(220)
    expect(parts.join(' ')).toBe(long)
    expect(splitSentences('x'.repeat(1000)).join('')).toBe('x'.repeat(1000))
  })

  it('continue over lines that an editor has wrapped', () => {
    const wrapped = [
      'The council of the town asked for a plan that it can vote on in',
      'May. And this is what the conversation settled at last, in a room',
      'without a window.',
    ]
    expect(splitSentences(wrapped.join('\n'))).toEqual([
      'The council of the town asked for a plan that it can vote on in May.',
      'And this is what the conversation settled at last, in a room without a window.',
    ])
    expect(splitSentences('Anna: yes\nBen: no')).toEqual(['Anna: yes', 'Ben: no'])
    expect(splitSentences('Wir treffen uns am 15. März. Danach nicht.')).toEqual([
      'Wir treffen uns am 15. März.',
      'Danach nicht.',
    ])
  })

  it('exclude a first line that looks like a heading', () => {
    expect(headingOf('# Review of the quarter.\nText.')).toBe('Review of the quarter.')
    expect(headingOf('Review of the quarter\nText.')).toBe('Review of the quarter')
    expect(headingOf('A sentence.\nAnother.')).toBeUndefined()
    expect(headingOf('Only one line')).toBeUndefined()
  })

  it('are shortened after a word, or between graphemes', () => {
    expect(shorten('The backlog fell by a lot.', 60)).toBe('The backlog fell by a lot')
    expect(shorten('The backlog fell by a lot after the change', 20)).toBe('The backlog fell by…')
    expect(lengthOf(shorten('👨‍👩‍👧'.repeat(50), 10))).toBeLessThanOrEqual(10)
  })
})
