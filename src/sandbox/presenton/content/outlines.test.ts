import { describe, expect, it } from 'vitest'
import { createDeck } from '../deck.ts'
import { writeOutlines } from './outlines.ts'

const unchanged = (count: number) => count

function deckOf(content: string, changes: Partial<Parameters<typeof createDeck>[0]> = {}) {
  const rest = {
    file_paths: null,
    instructions: null,
    tone: 'default',
    verbosity: 'standard',
    web_search: false,
    theme: null,
  }
  const flags = { include_table_of_contents: false, include_title_slide: true }
  return createDeck({ content, n_slides: 5, language: 'English', ...rest, ...flags, ...changes })
}

const summary = Array.from(
  { length: 30 },
  (_, index) => `Sentence number ${index} says something.`,
).join(' ')

describe('outlines of a summary', () => {
  it.each([1, 2, 3, 8, 50])('writes the requested number: %i', (n_slides) => {
    expect(writeOutlines(deckOf(summary, { n_slides }), unchanged)).toHaveLength(n_slides)
    expect(writeOutlines(deckOf('x', { n_slides }), unchanged)).toHaveLength(n_slides)
    expect(
      writeOutlines(deckOf('', { n_slides, include_table_of_contents: true }), unchanged),
    ).toHaveLength(n_slides)
  })

  it('writes a heading and bullets in the words of the summary', () => {
    for (const { content } of writeOutlines(deckOf(summary), unchanged)) {
      expect(content).toMatch(/^# .+\n\n- .+/)
      const bullets = content.split('\n').filter((line) => line.startsWith('- '))
      for (const bullet of bullets) expect(summary).toContain(bullet.slice(2).replace(/…$/, ''))
    }
  })

  it('stays below the number of words to which 0.9.3 truncates', () => {
    const wordy = Array.from({ length: 40 }, (_, index) => `A ${'word '.repeat(index)}end.`).join(
      ' ',
    )
    for (const { content } of writeOutlines(deckOf(wordy, { n_slides: 8 }), unchanged)) {
      expect(content.match(/\S+/g)?.length).toBeLessThanOrEqual(100)
      expect(content).toMatch(/(end\.?|…)$/)
    }
  })

  it('starts with the title and the table of contents when the deck has them', () => {
    const [title, contents, ...sections] = writeOutlines(
      deckOf(`# The review\n${summary}`, { include_table_of_contents: true }),
      unchanged,
    )
    expect(title?.content).toMatch(/^# The review\n/)
    expect(contents?.content).toBe(
      `# Contents\n\n${sections.map(({ content }) => `- ${content.split('\n')[0]?.slice(2)}`).join('\n')}`,
    )
  })

  it('names the table of contents in the language of the deck', () => {
    const fields = {
      include_table_of_contents: true,
      include_title_slide: false,
      language: 'German',
    }
    expect(writeOutlines(deckOf(summary, fields), unchanged)[0]?.content).toMatch(/^# Inhalt\n/)
  })

  it('derives the number from the text when none is requested', () => {
    expect(writeOutlines(deckOf(summary, { n_slides: 0 }), unchanged)).toHaveLength(11)
  })
})
