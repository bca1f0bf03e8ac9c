/**
 * Faults of replies that are not streams: all is done, but what comes back is wrong, lost, or not
 * upstream's own. And the failures of the model and of the export that upstream reports by status.
 */

import { crashed, detail, json, type Reply } from '../reply.ts'
import type { Fault, Scene } from './fault.ts'
import { modelFailures } from './model-failures.ts'

const reply = (change: (reply: Reply) => Reply | 'lost' | 'half'): Fault => ({
  kind: 'reply',
  change,
})
const answer = (make: (scene: Scene) => Reply): Fault => ({ kind: 'answer', reply: make })

export const replies = {
  'reply-lost': reply(() => 'lost'),
  'reply-half': reply(() => 'half'),
  'reply-empty': reply((was) => ({ ...was, body: Buffer.alloc(0) })),
  'reply-html': reply((was) => ({
    ...was,
    headers: { 'content-type': 'text/html' },
    body: Buffer.from('<html>Sign in</html>'),
  })),
  'reply-not-json': reply((was) => ({ ...was, body: Buffer.from('{"id": ') })),
  'reply-other-shape': reply((was) => ({ ...was, body: Buffer.from('{"ok":true}') })),
  'reply-huge': reply((was) => ({ ...was, body: Buffer.alloc(17 * 2 ** 20, 0x20) })),
} as const satisfies Record<string, Fault>

/**
 * B passes the class of its model's failure on as its own status; A and T always say 500, with the
 * provider's raw text.
 */
const model = (failure: keyof typeof modelFailures): Fault =>
  answer(({ features }) => {
    const { raw, friendly, status } = modelFailures[failure]
    return features.modelErrors === 'raw' ? detail(500, raw) : detail(status, friendly)
  })

export const prepareFaults = {
  'model-400': model('empty'),
  'model-401': model('401'),
  'model-429': model('429'),
  'model-500': model('500'),
  'model-503': model('connection'),
  'model-garbage': model('garbage'),
  /** The model gave fewer layouts than there are outlines. */
  'index-error': answer(() => crashed()),
  'template-missing': answer(() => detail(404, 'Template layout not found')),
} as const satisfies Record<string, Fault>

/** The export is made; its reply names another path. */
const path = (value: unknown): Fault =>
  reply((was) => {
    if (was.status !== 200 || !was.body) return was
    const { path: _, ...rest } = JSON.parse(was.body.toString()) as Record<string, unknown>
    return json({ ...rest, ...(value === undefined ? {} : { path: value }) })
  })

export const exportFaults = {
  'convert-failed': answer(() => detail(500, 'Failed to convert presentation to PPTX model')),
  'runtime-failed': answer(() =>
    detail(
      500,
      'Export task failed. returncode=1 stderr=Error: Presentation slides not found stdout=<empty>',
    ),
  ),
  'runtime-timeout': answer(() => detail(500, 'Export task timed out after 300 seconds')),
  'path-outside': path('/etc/passwd'),
  'path-dots': path('/app_data/exports/../userConfig.json'),
  'path-encoded-dots': path('/app_data/exports/%2e%2e/userConfig.json'),
  'path-backslash': path('/app_data/exports\\..\\userConfig.json'),
  'path-other-host': path('http://169.254.169.254/app_data/exports/x.pptx'),
  'path-scheme-relative': path('//169.254.169.254/app_data/exports/x.pptx'),
  'path-relative': path('app_data/exports/x.pptx'),
  'path-number': path(7),
  'path-missing': path(undefined),
} as const satisfies Record<string, Fault>
