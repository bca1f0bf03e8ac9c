import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createSlideChunks, type Piece } from './slide-chunks.ts'

const slide = (index: number) => JSON.stringify({ index, content: { title: `Slide, ${index} ] }` } })
const document = (pieces: Piece[]) => JSON.parse(pieces.map(({ chunk }) => chunk).join('')) as { slides: { index: number }[] }
const takeAll = (chunks: string[]) => {
  const made = createSlideChunks()
  return { made, pieces: chunks.flatMap((chunk) => made.take(chunk)) }
}

describe('the slides as pieces of one document', () => {
  it('puts the commas in that upstream forgets, each as a piece of its own', () => {
    const { pieces } = takeAll(['{ "slides": [ ', slide(0), slide(1), slide(2), ' ] }'])
    expect(pieces.map(({ chunk, slideIndex }) => [chunk, slideIndex])).toEqual([
      ['{ "slides": [ ', undefined],
      [slide(0), 0],
      [',', undefined],
      [slide(1), 1],
      [',', undefined],
      [slide(2), 2],
      [' ] }', undefined],
    ])
    expect(document(pieces).slides.map(({ index }) => index)).toEqual([0, 1, 2])
  })

  it('sets no second comma where an upstream sets its own', () => {
    const { pieces } = takeAll(['{ "slides": [ ', `${slide(0)},`, ', ', slide(1), ' ] }'])
    expect(document(pieces).slides).toHaveLength(2)
  })

  it('waits for the rest of a slide that comes in parts', () => {
    const [head, tail] = [slide(0).slice(0, 12), slide(0).slice(12)]
    const { pieces } = takeAll(['{ "slides": [ ', head, tail, ' ] }'])
    expect(pieces).toHaveLength(3)
    expect(document(pieces).slides).toEqual([JSON.parse(slide(0))])
  })

  it('adds what is missing at a good end: the bracket, the slides, or all of it', () => {
    const finished = [0, 1].map((index) => JSON.parse(slide(index)) as Record<string, unknown>)
    for (const seen of [[], ['{ "slides": [ '], ['{ "slides": [ ', slide(0)], ['{ "slides": [ ', slide(0), slide(1)]]) {
      const { made, pieces } = takeAll(seen)
      const all = [...pieces, ...made.finish(finished)]
      expect(document(all).slides).toEqual(finished)
      expect(all.filter(({ slideIndex }) => slideIndex !== undefined).map(({ slideIndex }) => slideIndex)).toEqual([0, 1])
    }
  })

  it('takes nothing after the end', () => {
    const { made } = takeAll(['{ "slides": [ ', slide(0), ' ] }'])
    expect([...made.take(slide(1)), ...made.take(' ] }'), ...made.finish([])]).toEqual([])
  })

  it('is a valid document after a good end, whatever came', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.string(), fc.constantFrom('{ "slides": [ ', ',', slide(0), slide(1), ' ] }', '{}'))),
        (chunks) => {
          const { made, pieces } = takeAll(chunks)
          expect(Array.isArray(document([...pieces, ...made.finish([])]).slides)).toBe(true)
        },
      ),
    )
  })
})
