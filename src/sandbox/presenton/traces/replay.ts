/**
 * Responds with the bytes of recorded traffic (see README.md) instead of generated text. The deck
 * gets the recorded id, times, title and slides, so that later replies match the recording.
 */

import { readFileSync } from 'node:fs'
import type { Deck, Outline, Slide } from '../deck.ts'
import type { Frame, FrameKind } from '../faults/fault.ts'
import type { GatePoint } from '../gates.ts'

export type Recording = 'v0.7.3' | 'v0.9.3'

export const recordedShape = { 'v0.7.3': 'A1', 'v0.9.3': 'B1' } as const

/** When the recorded `prepare` changed the row; its reply was not recorded completely. */
const preparedAt = {
  'v0.7.3': '2026-11-21T03:41:27.425144',
  'v0.9.3': '2026-11-21T03:52:29.416469',
} as const

type PassGate = (point: GatePoint) => Promise<void>

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
    /** Gives a new deck the recorded values; returns the recorded reply. */
    applyRecordedDeck(deck: Deck): string {
      const { id, content, n_slides, language, created_at } = created
      const time = created_at.replace(/Z$/, '')
      Object.assign(deck, { id, content, n_slides, language, created_at: time, updated_at: time })
      return read('create.body')
    },

    async *outlines(deck: Deck, passGate: PassGate): AsyncGenerator<Frame> {
      for (const frame of outlines) {
        if (frame.kind === 'part') await passGate('outlines:chunk')
        if (frame.kind === 'complete') {
          await passGate('outlines:complete')
          const { presentation } = messageOf(frame)
          Object.assign(deck, {
            title: presentation?.title,
            outlines: presentation?.outlines?.slides,
          })
          await passGate('outlines:saved')
        }
        yield frame
      }
    },

    /** To be called after `prepare` has changed the deck. */
    applyRecordedPrepare(deck: Deck): void {
      Object.assign(deck, { updated_at: preparedAt[recording], structure: [0, 1, 2] })
    },

    async *slides(deck: Deck, passGate: PassGate): AsyncGenerator<Frame> {
      for (const frame of slides) {
        if (frame.kind === 'part') await passGate('slides:slide')
        if (frame.kind === 'complete') {
          await passGate('slides:complete')
          const { presentation } = messageOf(frame)
          Object.assign(deck, {
            slides: presentation?.slides?.map(withAllMembers),
            fonts: presentation?.fonts ?? null,
          })
          await passGate('slides:saved')
        }
        yield frame
      }
    },

    /** The recorded reply of a read, if there is one and the deck is unchanged since. */
    recordedRead: (deck: Deck): string | undefined =>
      deck.slides.length > 0 && deck.title === title ? readBack : undefined,
  }
}

function withAllMembers(slide: Partial<Slide>): Slide {
  return { ui: null, html_content: null, properties: null, ...slide } as Slide
}

/** The recorded frames, each with its blank line. */
export function framesOf(text: string): Frame[] {
  const texts = text.split(/(?<=\n\n)/)
  const kinds = texts.map((frame) => (JSON.parse(frame.slice(frame.indexOf('{'))) as Message).type)
  const lastPart = kinds.lastIndexOf('chunk')
  const frames: Frame[] = texts.map((frame, index) => ({
    kind: kindOf(kinds[index] as string, index, lastPart, texts),
    text: frame,
  }))
  // The outlines stream has no tail; an empty frame marks where nothing is stored yet.
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
