import { describe, expect, it } from 'vitest'
import { titleFrom } from './title.ts'

describe('the title of a presentation without a given title', () => {
  it("is upstream's title, on one line and without Markdown", () => {
    expect(titleFrom(' Quarterly review  - Quarterly\nbacklog ', [])).toBe(
      'Quarterly review - Quarterly backlog',
    )
    expect(titleFrom('## Heading', [])).toBe('Heading')
  })

  it('is the first line of the first outline when upstream has no title', () => {
    expect(titleFrom(null, ['# First line\n\n- point'])).toBe('First line')
    expect(titleFrom('  ', ['\n# First line'])).toBe('First line')
  })

  it('is cut after 200 code points', () => {
    expect(titleFrom('😀'.repeat(300), [])).toBe('😀'.repeat(200))
  })

  it('contains no character that a header or Postgres refuses', () => {
    expect(titleFrom('a\u0000b\r\nc\u202ed\ud800e', [])).toBe('a b c d\ufffde')
  })

  it('is null when there is no text', () => {
    expect(titleFrom(null, [' '])).toBeNull()
  })
})
