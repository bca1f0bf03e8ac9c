// The kinds of events. A new kind is one entry in `eventKinds`: its static type, its OpenAPI schema
// (events.ts) and its documented example all follow from it.

import Type, { type TProperties } from 'typebox'
import { count, nullable, oneOf, text, time } from './member-schemas.ts'
import { downloadSchema, exportFormats, presentationRef, runErrorSchema } from './presentation.ts'
import { completedExample, downloadExample } from './presentation-examples.ts'
import { problemCodes } from './problem.ts'
import { slideExample, slideSchema } from './slides.ts'

export interface EventKindDefinition {
  description: string
  /** `gateway`: only the gateway makes it. `upstream`: Presenton's own, forwarded. */
  source: 'gateway' | 'upstream'
  /** The members beside `type`, `run` and `stage`. */
  members: TProperties
  /** It ends its run; upstream's own of that kind is never forwarded as it is. */
  isTerminal?: true
  /** It is made for one subscriber and not in the log, so it carries no `run`. */
  isUnlogged?: true
  /** Upstream may add members to it. */
  isOpen?: true
  example: object
}

const anyObject = (description: string) =>
  Type.Record(Type.String(), Type.Unknown(), { description })

export const eventKinds = {
  queued: {
    description: 'The first event of a run: it waits for a worker.',
    source: 'gateway',
    members: { position: Type.Integer({ minimum: 1, description: 'Place in the queue.' }) },
    example: { type: 'queued', position: 3, run: 1 },
  },
  stage: {
    description: 'A stage starts. It is sent again for each further attempt.',
    source: 'gateway',
    members: {
      attempt: Type.Integer({ minimum: 1, description: 'Starts of this stage in this run.' }),
      progress: Type.Number({ minimum: 0, maximum: 1 }),
    },
    example: { type: 'stage', attempt: 1, progress: 0.3, run: 1, stage: 'slides' },
  },
  outline_chunk: {
    description: 'Raw text of the model that writes the outlines. Neighbours may be joined.',
    source: 'gateway',
    members: { chunk: text() },
    example: { type: 'outline_chunk', chunk: '## Why now', run: 1, stage: 'outlines' },
  },
  outlines: {
    description: 'The outlines, as the model or the caller wrote them, or as they were approved.',
    source: 'gateway',
    members: { outlines: Type.Array(Type.String()), title: nullable(text()) },
    example: {
      type: 'outlines',
      outlines: ['# Why now\n- Demand doubled'],
      title: 'Why now',
      run: 1,
      stage: 'outlines',
    },
  },
  awaiting_outlines: {
    description: 'The run waits until its outlines are approved, or until they expire.',
    source: 'gateway',
    members: { expires_at: time() },
    example: { type: 'awaiting_outlines', expires_at: '2026-11-28T09:30:00.000Z', run: 1 },
  },
  chunk: {
    description:
      'A piece of the JSON document `{"slides":[…]}`. With `slide_index` it holds one whole slide.',
    source: 'upstream',
    members: { chunk: text(), slide_index: Type.Optional(count('From 0.')) },
    example: {
      type: 'chunk',
      chunk: '{"id":"5c1d","index":3,"content":{"title":"Why now"}}',
      slide_index: 3,
      run: 1,
      stage: 'slides',
    },
  },
  slide_assets: {
    description: "Upstream filled in a slide's images.",
    source: 'upstream',
    members: { slide_index: Type.Optional(count('From 0.')) },
    isOpen: true,
    example: {
      type: 'slide_assets',
      slide_index: 0,
      slide: { index: 0, content: { title: 'Why now' } },
      warnings: [],
      run: 1,
      stage: 'slides',
    },
  },
  fonts: {
    description: 'The fonts that the slides use.',
    source: 'upstream',
    members: {},
    isOpen: true,
    example: { type: 'fonts', fonts: {}, run: 1, stage: 'slides' },
  },
  slide_html: {
    description: 'One slide as HTML.',
    source: 'upstream',
    members: {},
    isOpen: true,
    example: {
      type: 'slide_html',
      index: 0,
      slide_id: '5c1d',
      html: '<section></section>',
      run: 1,
      stage: 'slides',
    },
  },
  generation_metrics: {
    description: 'What upstream measured.',
    source: 'upstream',
    members: {},
    isOpen: true,
    example: { type: 'generation_metrics', total_seconds: 41.2, run: 1, stage: 'slides' },
  },
  status: {
    description:
      'A sentence for people: what upstream does, or what the run waits for. With the code ' +
      '`TOKEN_EXPIRED` it is the last event of a stream, and has neither id nor run.',
    source: 'upstream',
    members: {
      status: text(),
      code: Type.Optional(oneOf(problemCodes)),
      retry_in_seconds: Type.Optional(count()),
    },
    isOpen: true,
    example: {
      type: 'status',
      status: 'The presentation generator is unavailable. Waiting for it.',
      code: 'UPSTREAM_UNAVAILABLE',
      retry_in_seconds: 4,
      run: 1,
      stage: 'prepare',
    },
  },
  slide_edited: {
    description: 'The model has changed a slide. The deck has this revision now.',
    source: 'gateway',
    members: {
      index: count('From 0.'),
      slide: slideSchema,
      revision: Type.Integer({ minimum: 1 }),
    },
    example: {
      type: 'slide_edited',
      index: 0,
      slide: slideExample,
      revision: 2,
      run: 2,
      stage: 'edit',
    },
  },
  stored: {
    description: 'The file is in the store.',
    source: 'gateway',
    members: { format: oneOf(exportFormats), size_bytes: count(), sha256: text('In hexadecimal.') },
    example: {
      type: 'stored',
      format: 'pptx',
      size_bytes: 48231,
      sha256: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
      run: 1,
      stage: 'store',
    },
  },
  complete: {
    description: 'The run ended well. The download link is made for each subscriber.',
    source: 'gateway',
    members: {
      presentation: anyObject('The finished deck as upstream gives it.'),
      download: nullable(downloadSchema),
    },
    isTerminal: true,
    example: {
      type: 'complete',
      presentation: { id: '7e0c', title: 'Why now', slides: [{ index: 0 }] },
      run: 1,
      download: downloadExample,
    },
  },
  error: {
    description: 'The run ended badly, or was cancelled.',
    source: 'gateway',
    members: runErrorSchema.properties,
    isTerminal: true,
    example: {
      type: 'error',
      code: 'UPSTREAM_ERROR',
      detail: 'The presentation generator failed.',
      retryable: true,
      run: 1,
    },
  },
  resync: {
    description: 'The place of this subscriber in the log is gone: read the presentation instead.',
    source: 'gateway',
    members: { presentation: presentationRef },
    isUnlogged: true,
    example: { type: 'resync', presentation: completedExample },
  },
} as const satisfies Record<string, EventKindDefinition>
