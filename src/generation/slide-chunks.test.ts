import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createSlideChunks, type Piece } from './slide-chunks.ts'

const slide = (index: number) =>
  JSON.stringify({ index, content: { title: `Slide, ${index} ] }` } })
const document = (pieces: Piece[]) =>
  JSON.parse(pieces.map(({ chunk }) => chunk).join('')) as { slides: { index: number }[] }
const parsed = (index: number) => JSON.parse(slide(index)) as Record<string, unknown>
/** Feeds all chunks and returns what came out so far. */
const takeAll = (chunks: string[]) => {
  const slideChunks = createSlideChunks()
  return { slideChunks, pieces: chunks.flatMap((chunk) => slideChunks.take(chunk)) }
}

describe('slide chunks', () => {
  it('adds each comma that upstream omits, as a chunk of its own', () => {
    const { slideChunks, pieces } = takeAll([
      '{ "slides": [ ',
      slide(0),
      slide(1),
      slide(2),
      ' ] } ',
    ])
    const all = [...pieces, ...slideChunks.finish([0, 1, 2].map(parsed))]
    expect(all.map(({ chunk, slideIndex }) => [chunk, slideIndex])).toEqual([
      ['{ "slides": [ ', undefined],
      [slide(0), 0],
      [',', undefined],
      [slide(1), 1],
      [',', undefined],
      [slide(2), 2],
      [' ] } ', undefined],
    ])
    expect(document(all).slides.map(({ index }) => index)).toEqual([0, 1, 2])
  })

  it('adds no comma where upstream sends one', () => {
    const { slideChunks, pieces } = takeAll([
      '{ "slides": [ ',
      `${slide(0)},`,
      ', ',
      slide(1),
      ' ] }',
    ])
    expect(document([...pieces, ...slideChunks.finish([0, 1].map(parsed))]).slides).toHaveLength(2)
  })

  it('joins a slide that arrives in parts', () => {
    const [head, tail] = [slide(0).slice(0, 12), slide(0).slice(12)]
    const { slideChunks, pieces } = takeAll(['{ "slides": [ ', head, tail, ' ] }'])
    expect(pieces).toHaveLength(2)
    expect(document([...pieces, ...slideChunks.finish([parsed(0)])]).slides).toEqual([parsed(0)])
  })

  it('adds missing slides and brackets when the stream is complete', () => {
    const finished = [0, 1].map(parsed)
    for (const received of [
      [],
      ['{ "slides": [ '],
      ['{ "slides": [ ', slide(0)],
      ['{ "slides": [ ', slide(0), slide(1)],
    ]) {
      const { slideChunks, pieces } = takeAll(received)
      const all = [...pieces, ...slideChunks.finish(finished)]
      expect(document(all).slides).toEqual(finished)
      expect(
        all
          .filter(({ slideIndex }) => slideIndex !== undefined)
          .map(({ slideIndex }) => slideIndex),
      ).toEqual([0, 1])
    }
  })

  it('contains each slide once and in order, even if upstream lost or repeated some', () => {
    const finished = [0, 1, 2].map(parsed)
    for (const sent of [
      [0, 2],
      [0, 1],
      [1, 2],
      [0, 0, 1, 2],
      [0, 1, 2, 1],
      [2, 1, 0],
    ]) {
      const { slideChunks, pieces } = takeAll(['{ "slides": [ ', ...sent.map(slide), ' ] }'])
      const all = [...pieces, ...slideChunks.finish(finished)]
      expect(document(all).slides).toEqual(finished)
      const numbered = all.filter(({ slideIndex }) => slideIndex !== undefined)
      expect(numbered.map(({ slideIndex, chunk }) => [slideIndex, chunk])).toEqual(
        [0, 1, 2].map((index) => [index, slide(index)]),
      )
    }
  })

  it('ignores chunks after the end of the document', () => {
    const { slideChunks } = takeAll(['{ "slides": [ ', slide(0), ' ] }'])
    expect([...slideChunks.take(slide(1)), ...slideChunks.take(' ] }')]).toEqual([])
    expect(slideChunks.finish([parsed(0)])).toEqual([{ chunk: ' ] }' }])
  })

  it('joins to a valid document for any input', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(
            fc.string(),
            fc.constantFrom('{ "slides": [ ', ',', slide(0), slide(1), ' ] }', '{}'),
          ),
        ),
        (chunks) => {
          const { slideChunks, pieces } = takeAll(chunks)
          expect(Array.isArray(document([...pieces, ...slideChunks.finish([])]).slides)).toBe(true)
        },
      ),
    )
  })
})
