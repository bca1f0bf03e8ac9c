import { describe, expect, it } from 'vitest'
import { titleFrom } from './title.ts'

describe('the title of a presentation whose brief has none', () => {
  it('is what upstream made of the first outline, on one line and without signs of Markdown', () => {
    expect(titleFrom(' Quarterly review  - Quarterly\nbacklog ', [])).toBe(
      'Quarterly review - Quarterly backlog',
    )
    expect(titleFrom('## Heading', [])).toBe('Heading')
  })

  it('is the first line of the first outline where upstream gives none', () => {
    expect(titleFrom(null, ['# First line\n\n- point'])).toBe('First line')
    expect(titleFrom('  ', ['\n# First line'])).toBe('First line')
  })

  it('is cut at 200 characters, never in the middle of one', () => {
    expect(titleFrom('😀'.repeat(300), [])).toBe('😀'.repeat(200))
  })

  it('holds nothing that a header or a database refuses', () => {
    expect(titleFrom('a\u0000b\r\nc\u202ed\ud800e', [])).toBe('a b c d\ufffde')
  })

  it('is null when there is nothing', () => {
    expect(titleFrom(null, [' '])).toBeNull()
  })
})
