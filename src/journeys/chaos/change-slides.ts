// What a user does to the slides of a finished deck while everything fails. Each change is based on
// the revision that was read before it, so a confirmed one must leave exactly what it says, one
// revision later. A change whose response was lost is looked up in the deck.

import { isDeepStrictEqual } from 'node:util'
import type { Client, ClientResponse } from './client.ts'
import type { Random } from './random.ts'
import type { Report } from './report.ts'

export interface Slide {
  index: number
  id: string
  speaker_note: string | null
}

export interface Deck {
  revision: number
  slides: Slide[]
}

export interface SlideChangesOptions {
  client: Client
  /** Of the presentation. */
  path: string
  random: Random
  report: Report
}

/** Renumbered, as they are shown. */
const inOrder = (slides: Slide[]) => slides.map((slide, index) => ({ ...slide, index }))

export type SlideChanges = ReturnType<typeof createSlideChanges>

export function createSlideChanges({ client, path, random, report }: SlideChangesOptions) {
  const violate = (text: string) => report.violate(path, text)

  async function read(): Promise<Deck> {
    const { status, body } = await client.request(`${path}/slides`)
    if (status !== 200) throw new Error(`${path}/slides returned ${status}`)
    return body
  }

  /** Compares the deck after a confirmed change with the deck on which it was based. */
  function check(what: string, before: Deck, after: Deck, expected: Slide[]): void {
    if (!isDeepStrictEqual(after.slides, expected))
      violate(`${what} left ${JSON.stringify(after.slides)} instead of ${JSON.stringify(expected)}`)
    const hasChanged = !isDeepStrictEqual(before.slides, expected)
    if (after.revision !== before.revision + Number(hasChanged))
      violate(`${what} made revision ${after.revision} of ${before.revision}`)
    report.count('slide changes')
  }

  /** Whether to read the deck again, because the change was not made on the deck as it was read. */
  function isStale(what: string, { status, body, lost }: ClientResponse): boolean {
    report.note(`${path} ${what}: ${status}, ${lost} lost`)
    if (status === 412 || status === 409) report.count('stale slide changes')
    else violate(`${what} returned ${status} ${JSON.stringify(body)}`)
    return status === 412 || status === 409
  }

  /** Repeats a change until the deck has it. `apply` returns undefined for a deck that has it. */
  async function change(
    what: string,
    method: string,
    request: (deck: Deck) => { subpath: string; body?: unknown },
    apply: (slides: Slide[]) => Slide[] | undefined,
  ): Promise<void> {
    for (;;) {
      const before = await read()
      const expected = apply(before.slides)
      if (!expected) return
      const { subpath, body } = request(before)
      const response = await client.request(`${path}/slides${subpath}`, {
        ...{ method, body },
        headers: { 'if-match': `"${before.revision}"` },
      })
      if (response.status === 200) return check(what, before, response.body, inOrder(expected))
      if (!isStale(what, response)) return
    }
  }

  const setNote = (index: number, note: string) =>
    change(
      `note ${note}`,
      'PATCH',
      () => ({ subpath: `/${index}`, body: { speaker_note: note } }),
      (slides) => {
        const slide = slides[index]
        if (!slide || slide.speaker_note === note) return undefined
        return slides.with(index, { ...slide, speaker_note: note })
      },
    )

  async function remove({ slides }: Deck): Promise<void> {
    const index = random.between(0, slides.length - 1)
    const isLeft = (slide: Slide) => slide.id !== slides[index]?.id
    await change(
      'remove',
      'DELETE',
      () => ({ subpath: `/${index}` }),
      (present) => (present.every(isLeft) ? undefined : present.filter(isLeft)),
    )
  }

  async function reverse({ slides }: Deck): Promise<void> {
    const wanted = slides.map(({ id }) => id).reverse()
    const order = slides.map(({ index }) => index).reverse()
    await change(
      'reverse',
      'PUT',
      () => ({ subpath: '/order', body: { order } }),
      (present) =>
        isDeepStrictEqual(
          present.map(({ id }) => id),
          wanted,
        )
          ? undefined
          : present.toReversed(),
    )
  }

  /** One key adds one slide, however often it is sent. */
  async function add(before: Deck): Promise<void> {
    const copied = random.between(0, before.slides.length - 1)
    const key = `slide-${random.next()}`
    for (;;) {
      const body = { after: -1, copy_of: copied }
      const response = await client.request(`${path}/slides`, { method: 'POST', body, key })
      if (response.status !== 201) {
        if (isStale('add', response)) continue
        return
      }
      const [added, ...others] = response.body.slides
      const { id: _, ...copy } = { ...before.slides[copied], index: 0 }
      const { id, ...content } = added ?? {}
      if (!isDeepStrictEqual(content, copy)) violate('the added slide is no copy')
      const expected = inOrder([{ ...content, id }, ...before.slides])
      if (!isDeepStrictEqual(response.body.slides, expected))
        violate(`adding a slide left ${others.length + 1} of ${before.slides.length}`)
      report.count('slide changes')
      return
    }
  }

  return {
    read,

    /** Two users of one account change different slides at once: none undoes the other. */
    async changeTogether({ slides }: Deck): Promise<void> {
      const notes = slides.slice(0, 3).map((_, index) => `note ${index} ${random.next()}`)
      await Promise.all(notes.map((note, index) => setNote(index, note)))
      const { slides: after } = await read()
      for (const [index, note] of notes.entries())
        if (after[index]?.speaker_note !== note) violate(`the update "${note}" was lost`)
    },

    async changeOnce(deck: Deck): Promise<void> {
      const kinds = [
        () => setNote(random.between(0, deck.slides.length - 1), `note ${random.next()}`),
        () => reverse(deck),
        () => add(deck),
        ...(deck.slides.length > 1 ? [() => remove(deck)] : []),
      ]
      await random.pick(kinds)()
    },
  }
}
