/**
 * Answers a run with the bytes of recorded traffic (README.md beside this file) instead of the
 * stand-in's own words. The deck takes the recorded id, times, title and slides, so what the
 * stand-in itself says of it later agrees with the recording.
 */

import { readFileSync } from 'node:fs'
import type { Deck, Outline, Slide } from '../deck.ts'
import type { Frame, FrameKind } from '../faults/fault.ts'
import type { GatePoint } from '../gates.ts'

export type Recording = 'v0.7.3' | 'v0.9.3'

export const recordedShape = { 'v0.7.3': 'A1', 'v0.9.3': 'B1' } as const

/** When the recorded `prepare` changed the row; its own reply was not kept whole. */
const preparedAt = {
  'v0.7.3': '2026-11-21T03:41:27.425144',
  'v0.9.3': '2026-11-21T03:52:29.416469',
} as const

type Pass = (point: GatePoint) => Promise<void>

export type Replay = ReturnType<typeof openReplay>

type Message = {
  type: string
  presentation?: {
    title: string
    outlines?: { slides: Outline[] }
    slides?: Partial<Slide>[]
    fonts?: unknown
  }
}

export function openReplay(recording: Recording) {
  const read = (name: string) =>
    readFileSync(new URL(`./${recording}/${name}`, import.meta.url), 'utf8')
  const created = JSON.parse(read('create.body')) as {
    id: string
    content: string
    n_slides: number
    language: string
    created_at: string
  }
  const outlines = framesOf(read('outlines.sse'))
  const slides = framesOf(read('slides.sse'))
  const title = messageOf(outlines.at(-1) as Frame).presentation?.title
  let readBack: string | undefined
  if (recording === 'v0.7.3') readBack = read('read.body')

  return {
    /** The new deck becomes the recorded one; gives the recorded reply. */
    adopt(deck: Deck): string {
      const { id, content, n_slides, language, created_at } = created
      const time = created_at.replace(/Z$/, '')
      Object.assign(deck, { id, content, n_slides, language, created_at: time, updated_at: time })
      return read('create.body')
    },

    async *outlines(deck: Deck, pass: Pass): AsyncGenerator<Frame> {
      for (const frame of outlines) {
        if (frame.kind === 'part') await pass('outlines:chunk')
        if (frame.kind === 'complete') {
          await pass('outlines:complete')
          const { presentation } = messageOf(frame)
          Object.assign(deck, {
            title: presentation?.title,
            outlines: presentation?.outlines?.slides,
          })
          await pass('outlines:saved')
        }
        yield frame
      }
    },

    /** After `prepare` has done its own work. */
    prepared(deck: Deck): void {
      Object.assign(deck, { updated_at: preparedAt[recording], structure: [0, 1, 2] })
    },

    async *slides(deck: Deck, pass: Pass): AsyncGenerator<Frame> {
      for (const frame of slides) {
        if (frame.kind === 'part') await pass('slides:slide')
        if (frame.kind === 'complete') {
          await pass('slides:complete')
          const { presentation } = messageOf(frame)
          Object.assign(deck, {
            slides: presentation?.slides?.map(whole),
            fonts: presentation?.fonts ?? null,
          })
          await pass('slides:saved')
        }
        yield frame
      }
    },

    /** The recorded text, where there is one and nothing has been changed since. */
    read: (deck: Deck): string | undefined =>
      deck.slides.length > 0 && deck.title === title ? readBack : undefined,
  }
}

function whole(slide: Partial<Slide>): Slide {
  return { ui: null, html_content: null, properties: null, ...slide } as Slide
}

/** The frames as recorded, each with its blank line. */
export function framesOf(text: string): Frame[] {
  const texts = text.split(/(?<=\n\n)/)
  const kinds = texts.map((frame) => (JSON.parse(frame.slice(frame.indexOf('{'))) as Message).type)
  const lastPart = kinds.lastIndexOf('chunk')
  const frames: Frame[] = texts.map((frame, index) => ({
    kind: kindOf(kinds[index] as string, index, lastPart, texts),
    text: frame,
  }))
  // Outlines have no closing words of their own: an empty frame stands where nothing is stored yet.
  if (!frames.some(({ kind }) => kind === 'tail')) frames.splice(-1, 0, { kind: 'tail', text: '' })
  return frames
}

function kindOf(
  type: string,
  index: number,
  lastPart: number,
  texts: readonly string[],
): FrameKind {
  if (type === 'complete') return 'complete'
  if (type === 'slide_assets') return 'assets'
  if (type === 'status' || index === 0) return 'head'
  return index === lastPart && texts[index]?.includes('" ] }"') ? 'tail' : 'part'
}

function messageOf({ text }: Frame): Message {
  return JSON.parse(text.slice(text.indexOf('{'))) as Message
}
