/**
 * Faults inside the two event streams. Those that strike before `complete` leave nothing stored, as
 * upstream stores only at the end; those named saved-… strike after it has stored.
 */

import { frame } from '../event-stream.ts'
import type { Fault, FrameKind, FramingFault, Scene, Step, StreamFault } from './fault.ts'
import { modelFailures } from './model-failures.ts'

const strike = (on: FrameKind, nth: number, act: StreamFault['strike']): StreamFault => ({
  kind: 'stream',
  on,
  nth,
  strike: act,
})
const framing = (act: (text: string) => Step[]): FramingFault => ({
  kind: 'framing',
  open: () => ({ frame: act, end: () => [] }),
})

const half = (text: string) => text.slice(0, Math.ceil(text.length / 2))
const wordOf = ({ features }: Scene, failure: keyof typeof modelFailures) =>
  features.modelErrors === 'raw' ? modelFailures[failure].raw : modelFailures[failure].friendly

/** An `error` event, then a clean end: the model failed. */
const error = (failure: keyof typeof modelFailures) =>
  strike('part', 2, (_, scene) => [
    { write: frame({ type: 'error', detail: wordOf(scene, failure) }) },
    'end',
  ])

/** The `complete` event with its presentation changed. */
const completing = (change: (presentation: Record<string, unknown>) => unknown) =>
  strike('complete', 1, ({ text }) => {
    const message = JSON.parse(text.slice(text.indexOf('{'))) as {
      presentation: Record<string, unknown>
    }
    return [{ write: frame({ type: 'complete', presentation: change(message.presentation) }) }]
  })

const listOf = (presentation: Record<string, unknown>) =>
  'slides' in presentation ? 'slides' : 'outlines'
const shorten = (list: unknown) => (Array.isArray(list) ? list.slice(0, -1) : list)

export const streamFaults = {
  'error-401': error('401'),
  'error-429': error('429'),
  'error-500': error('500'),
  'error-connection': error('connection'),
  'error-empty': error('empty'),
  'error-garbage': error('garbage'),
  'error-secrets': error('secrets'),
  /** The body ends well, without `complete`: any exception of A that is not the model's. */
  ends: strike('part', 2, () => ['end']),
  'ends-empty': strike('head', 1, () => ['end']),
  'no-complete': strike('tail', 1, ({ text }) => [{ write: text }, 'end']),
  'saved-no-complete': strike('complete', 1, () => ['end']),
  /** The connection breaks in the middle of an event. */
  cut: strike('part', 2, ({ text }) => [{ write: half(text) }, 'cut']),
  'cut-before-complete': strike('tail', 1, ({ text }) => [{ write: text }, 'cut']),
  'saved-cut': strike('complete', 1, ({ text }) => [{ write: half(text) }, 'cut']),
  /** No byte for ever, at various places; it ends when the caller goes. */
  stall: strike('part', 2, () => ['stall']),
  'stall-at-once': strike('head', 1, () => ['stall']),
  'stall-half-way': strike('part', 2, ({ text }) => [{ write: half(text) }, 'stall']),
  'stall-before-complete': strike('tail', 1, ({ text }) => [{ write: text }, 'stall']),
  'complete-empty': completing((was) => ({
    ...was,
    [listOf(was)]: listOf(was) === 'slides' ? [] : { slides: [] },
  })),
  'complete-short': completing((was) => {
    const { slides, outlines } = was as { slides?: unknown; outlines?: { slides: unknown } }
    return slides
      ? { ...was, slides: shorten(slides) }
      : { ...was, outlines: { slides: shorten(outlines?.slides) } }
  }),
  'complete-null': completing(() => null),
  'complete-of-another-deck': completing((was) => ({
    ...was,
    id: '00000000-0000-4000-8000-000000000000',
  })),
  'two-completes': strike('complete', 1, ({ text }) => [{ write: text }, { write: text }]),
  'text-after-complete': strike('complete', 1, ({ text }) => [
    { write: text },
    { write: frame({ type: 'chunk', chunk: 'more' }) },
  ]),
  'error-after-complete': strike('complete', 1, ({ text }) => [
    { write: text },
    { write: frame({ type: 'error', detail: 'late' }) },
  ]),
  /** `complete` is said, the body never ends. */
  'stall-after-complete': strike('complete', 1, ({ text }) => [{ write: text }, 'stall']),
  garbage: strike('part', 2, ({ text }) => [
    { write: Buffer.from([...Array(256).keys()]) },
    { write: `\n\n${text}` },
  ]),
  'invalid-json': strike('part', 2, ({ text }) => [
    { write: 'event: response\ndata: {"type": "chunk", "chunk": \n\n' },
    { write: text },
  ]),
  'not-an-object': strike('part', 2, ({ text }) => [
    { write: 'event: response\ndata: [1, null, "x"]\n\ndata: null\n\n' },
    { write: text },
  ]),
  /** A chunk whose text is no JSON: of a slide it should be. */
  'broken-part': strike('part', 2, () => [
    { write: frame({ type: 'chunk', chunk: '<<< not json' }) },
  ]),
  'dropped-part': strike('part', 2, () => []),
  'repeated-part': strike('part', 2, ({ text }) => [{ write: text }, { write: text }]),
  /**
   * One event of 64 MiB: more than a reader may want, and all that lies between can hold, so that
   * whoever leaves is seen to leave in it.
   */
  oversized: strike('part', 2, ({ text }) => [
    { write: 'event: response\ndata: {"type": "chunk", "chunk": "' },
    ...Array<Step>(64).fill({ write: Buffer.alloc(2 ** 20, 0x78) }),
    { write: `"}\n\n${text}` },
  ]),
  'unknown-kinds': strike('part', 2, ({ text }) => [
    { write: frame({ type: 'weather', rain: true }) },
    { write: 'id: 7\nretry: 10\nevent: news\ndata: {"type": "chunk", "chunk": "not ours"}\n\n' },
    { write: frame({ type: 'fonts', fonts: { Inter: 'https://fonts.example/inter.css' } }) },
    { write: text },
  ]),
  /** Kinds that bear names a gateway may use for its own. */
  'kinds-of-ours': strike('part', 2, ({ text }) => [
    ...['queued', 'stage', 'stored', 'awaiting_outlines', 'outlines', 'resync'].map((type) => ({
      write: frame({ type, run: 99 }),
    })),
    { write: text },
  ]),
  'two-data-lines': framing((text) => [{ write: text.replace('data: {', 'data: {\ndata: ') }]),
  comments: framing((text) => [{ write: `: ping\n\n${text}` }]),
  crlf: framing((text) => [{ write: text.replaceAll('\n', '\r\n') }]),
  'byte-order-mark': strike('head', 1, ({ text }) => [{ write: `\ufeff${text}` }]),
  drip: framing((text) => ['drip', { write: text }]),
  /** What upstream's nginx does: the part of an event beyond 4 KiB waits for the next bytes. */
  'held-tail': {
    kind: 'framing',
    open: () => {
      let held = Buffer.alloc(0)
      return {
        frame: (text) => {
          const bytes = Buffer.from(text)
          const ready = Buffer.concat([held, bytes.subarray(0, 4096)])
          held = Buffer.from(bytes.subarray(4096))
          return [{ write: ready }]
        },
        end: () => [{ write: held }],
      }
    },
  },
} as const satisfies Record<string, Fault>

/** The model writes too few or too many outlines: A takes what there is or cuts, B gives up. */
export const outlineFaults = {
  few: { kind: 'outlines', count: (asked: number) => Math.max(1, asked - 1) },
  many: { kind: 'outlines', count: (asked: number) => asked + 1 },
} as const satisfies Record<string, Fault>
