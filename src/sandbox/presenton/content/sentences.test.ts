import { describe, expect, it } from 'vitest'
import { headingOf, lengthOf, shorten, splitSentences } from './sentences.ts'

describe('sentences of a summary', () => {
  it('finds them in any script', () => {
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

  it('drops the marks of headings and lists, and lines that say nothing', () => {
    expect(splitSentences('## Review\n- first **point**\n2) second\n---\n\n> quoted')).toEqual([
      'Review',
      'first point',
      'second',
      'quoted',
    ])
  })

  it('cuts a sentence that is too long for a slide, and loses nothing of it', () => {
    const long = Array.from({ length: 40 }, (_, index) => `clause number ${index}`).join(', ')
    const parts = splitSentences(long)
    expect(parts.length).toBeGreaterThan(2)
    expect(Math.max(...parts.map(lengthOf))).toBeLessThanOrEqual(220)
    expect(parts.join(' ')).toBe(long)
    expect(splitSentences('x'.repeat(1000)).join('')).toBe('x'.repeat(1000))
  })

  it('joins lines that an editor has wrapped', () => {
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

  it('takes the first line for a heading when it looks like one', () => {
    expect(headingOf('# Review of the quarter.\nText.')).toBe('Review of the quarter.')
    expect(headingOf('Review of the quarter\nText.')).toBe('Review of the quarter')
    expect(headingOf('A sentence.\nAnother.')).toBeUndefined()
    expect(headingOf('Only one line')).toBeUndefined()
  })

  it('shortens after a word, and between characters as a reader counts them', () => {
    expect(shorten('The backlog fell by a lot.', 60)).toBe('The backlog fell by a lot')
    expect(shorten('The backlog fell by a lot after the change', 20)).toBe('The backlog fell by…')
    expect(lengthOf(shorten('👨‍👩‍👧'.repeat(50), 10))).toBeLessThanOrEqual(10)
  })
})
