/**
 * Faults inside event streams. Upstream stores only at the end: faults before `complete`
 * leave nothing stored, those named saved-… apply after it has stored.
 */

import { frame } from '../event-stream.ts'
import type {
  Fault,
  FaultContext,
  FrameKind,
  FramingFault,
  StreamFault,
  StreamStep,
} from './fault.ts'
import { modelFailures } from './model-failures.ts'

/** Replaces the nth frame of a kind. */
const onFrame = (frameKind: FrameKind, nth: number, apply: StreamFault['apply']): StreamFault => ({
  kind: 'stream',
  frameKind,
  nth,
  apply,
})
const framing = (writeFrame: (text: string) => StreamStep[]): FramingFault => ({
  kind: 'framing',
  open: () => ({ frame: writeFrame, end: () => [] }),
})

const firstHalf = (text: string) => text.slice(0, Math.ceil(text.length / 2))
const errorText = ({ features }: FaultContext, failure: keyof typeof modelFailures) =>
  features.modelErrors === 'raw' ? modelFailures[failure].raw : modelFailures[failure].friendly

/** The model fails: an `error` event, then the end of the body. */
const modelError = (failure: keyof typeof modelFailures) =>
  onFrame('part', 2, (_, context) => [
    { write: frame({ type: 'error', detail: errorText(context, failure) }) },
    'end',
  ])

/** A `complete` event with another presentation. */
const changeComplete = (change: (presentation: Record<string, unknown>) => unknown) =>
  onFrame('complete', 1, ({ text }) => {
    const message = JSON.parse(text.slice(text.indexOf('{'))) as {
      presentation: Record<string, unknown>
    }
    return [{ write: frame({ type: 'complete', presentation: change(message.presentation) }) }]
  })

const withoutLast = (list: unknown) => (Array.isArray(list) ? list.slice(0, -1) : list)

export const streamFaults = {
  'error-401': modelError('401'),
  'error-429': modelError('429'),
  'error-500': modelError('500'),
  'error-connection': modelError('connection'),
  'error-empty': modelError('empty'),
  'error-garbage': modelError('garbage'),
  'error-secrets': modelError('secrets'),
  /** The body ends without `complete`: in A any exception that is not the model's. */
  ends: onFrame('part', 2, () => ['end']),
  'ends-empty': onFrame('head', 1, () => ['end']),
  'no-complete': onFrame('tail', 1, ({ text }) => [{ write: text }, 'end']),
  'saved-no-complete': onFrame('complete', 1, () => ['end']),
  /** The connection closes in the middle of an event. */
  cut: onFrame('part', 2, ({ text }) => [{ write: firstHalf(text) }, 'cut']),
  'cut-before-complete': onFrame('tail', 1, ({ text }) => [{ write: text }, 'cut']),
  'saved-cut': onFrame('complete', 1, ({ text }) => [{ write: firstHalf(text) }, 'cut']),
  /** No more bytes until the client disconnects. */
  stall: onFrame('part', 2, () => ['stall']),
  'stall-at-once': onFrame('head', 1, () => ['stall']),
  'stall-half-way': onFrame('part', 2, ({ text }) => [{ write: firstHalf(text) }, 'stall']),
  'stall-before-complete': onFrame('tail', 1, ({ text }) => [{ write: text }, 'stall']),
  'complete-empty': changeComplete((presentation) =>
    'slides' in presentation
      ? { ...presentation, slides: [] }
      : { ...presentation, outlines: { slides: [] } },
  ),
  'complete-short': changeComplete((presentation) => {
    const { slides, outlines } = presentation as {
      slides?: unknown
      outlines?: { slides: unknown }
    }
    return slides
      ? { ...presentation, slides: withoutLast(slides) }
      : { ...presentation, outlines: { slides: withoutLast(outlines?.slides) } }
  }),
  'complete-null': changeComplete(() => null),
  'complete-of-another-deck': changeComplete((presentation) => ({
    ...presentation,
    id: '00000000-0000-4000-8000-000000000000',
  })),
  'two-completes': onFrame('complete', 1, ({ text }) => [{ write: text }, { write: text }]),
  'text-after-complete': onFrame('complete', 1, ({ text }) => [
    { write: text },
    { write: frame({ type: 'chunk', chunk: 'more' }) },
  ]),
  'error-after-complete': onFrame('complete', 1, ({ text }) => [
    { write: text },
    { write: frame({ type: 'error', detail: 'late' }) },
  ]),
  /** The body does not end after `complete`. */
  'stall-after-complete': onFrame('complete', 1, ({ text }) => [{ write: text }, 'stall']),
  garbage: onFrame('part', 2, ({ text }) => [
    { write: Buffer.from([...Array(256).keys()]) },
    { write: `\n\n${text}` },
  ]),
  'invalid-json': onFrame('part', 2, ({ text }) => [
    { write: 'event: response\ndata: {"type": "chunk", "chunk": \n\n' },
    { write: text },
  ]),
  'not-an-object': onFrame('part', 2, ({ text }) => [
    { write: 'event: response\ndata: [1, null, "x"]\n\ndata: null\n\n' },
    { write: text },
  ]),
  /** A chunk that is not JSON; those of slides should be. */
  'broken-part': onFrame('part', 2, () => [
    { write: frame({ type: 'chunk', chunk: '<<< not json' }) },
  ]),
  'dropped-part': onFrame('part', 2, () => []),
  'repeated-part': onFrame('part', 2, ({ text }) => [{ write: text }, { write: text }]),
  /**
   * One event of 64 MiB: larger than the limit of a reader and than all buffers on the way, so that
   * a disconnect always happens inside it.
   */
  oversized: onFrame('part', 2, ({ text }) => [
    { write: 'event: response\ndata: {"type": "chunk", "chunk": "' },
    ...Array<StreamStep>(64).fill({ write: Buffer.alloc(2 ** 20, 0x78) }),
    { write: `"}\n\n${text}` },
  ]),
  'unknown-kinds': onFrame('part', 2, ({ text }) => [
    { write: frame({ type: 'weather', rain: true }) },
    { write: 'id: 7\nretry: 10\nevent: news\ndata: {"type": "chunk", "chunk": "not ours"}\n\n' },
    { write: frame({ type: 'fonts', fonts: { Inter: 'https://fonts.example/inter.css' } }) },
    { write: text },
  ]),
  /** Event types that the gateway uses itself. */
  'kinds-of-ours': onFrame('part', 2, ({ text }) => [
    ...['queued', 'stage', 'stored', 'awaiting_outlines', 'outlines', 'resync'].map((type) => ({
      write: frame({ type, run: 99 }),
    })),
    { write: text },
  ]),
  'two-data-lines': framing((text) => [{ write: text.replace('data: {', 'data: {\ndata: ') }]),
  comments: framing((text) => [{ write: `: ping\n\n${text}` }]),
  crlf: framing((text) => [{ write: text.replaceAll('\n', '\r\n') }]),
  'byte-order-mark': onFrame('head', 1, ({ text }) => [{ write: `\ufeff${text}` }]),
  drip: framing((text) => ['drip', { write: text }]),
  /** Like upstream's nginx: it keeps the part of an event after 4 KiB until the next bytes. */
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

/** The model writes too few or too many outlines: A accepts or truncates them, B fails. */
export const outlineFaults = {
  few: { kind: 'outlines', count: (requested: number) => Math.max(1, requested - 1) },
  many: { kind: 'outlines', count: (requested: number) => requested + 1 },
} as const satisfies Record<string, Fault>
