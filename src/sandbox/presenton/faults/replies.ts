/**
 * Faults of operations that respond with one reply: the work is done, but the reply is wrong, lost
 * or not upstream's. Also the errors of the model and the export that upstream reports by status.
 */

import { errorDetail, internalServerError, json, type Reply } from '../reply.ts'
import type { Fault, FaultContext } from './fault.ts'
import { modelFailures } from './model-failures.ts'

const changeReply = (change: (reply: Reply) => Reply | 'lost' | 'half'): Fault => ({
  kind: 'change-reply',
  change,
})
const respond = (reply: (context: FaultContext) => Reply): Fault => ({ kind: 'respond', reply })

export const replyFaults = {
  'reply-lost': changeReply(() => 'lost'),
  'reply-half': changeReply(() => 'half'),
  'reply-empty': changeReply((reply) => ({ ...reply, body: Buffer.alloc(0) })),
  'reply-html': changeReply((reply) => ({
    ...reply,
    headers: { 'content-type': 'text/html' },
    body: Buffer.from('<html>Sign in</html>'),
  })),
  'reply-not-json': changeReply((reply) => ({ ...reply, body: Buffer.from('{"id": ') })),
  'reply-other-shape': changeReply((reply) => ({ ...reply, body: Buffer.from('{"ok":true}') })),
  'reply-huge': changeReply((reply) => ({ ...reply, body: Buffer.alloc(17 * 2 ** 20, 0x20) })),
} as const satisfies Record<string, Fault>

/** B has a status for each failure; A and T respond 500 with the provider's text. */
const modelFails = (failure: keyof typeof modelFailures): Fault =>
  respond(({ features }) => {
    const { raw, friendly, status } = modelFailures[failure]
    return features.modelErrors === 'raw' ? errorDetail(500, raw) : errorDetail(status, friendly)
  })

export const prepareFaults = {
  'model-400': modelFails('empty'),
  'model-401': modelFails('401'),
  'model-429': modelFails('429'),
  'model-500': modelFails('500'),
  'model-503': modelFails('connection'),
  'model-garbage': modelFails('garbage'),
  /** The model chose fewer layouts than there are outlines. */
  'index-error': respond(() => internalServerError()),
  'template-missing': respond(() => errorDetail(404, 'Template layout not found')),
} as const satisfies Record<string, Fault>

export const editFaults = {
  'model-401': modelFails('401'),
  'model-429': modelFails('429'),
  'model-500': modelFails('500'),
  /** The model fails after it has changed the deck. */
  'fails-half-way': changeReply(() => errorDetail(500, modelFailures['500'].friendly)),
} as const satisfies Record<string, Fault>

/** A version whose model changes no single slides. */
export const openapiFaults = {
  'without-edits': changeReply((reply) => {
    const document = JSON.parse(reply.body?.toString() ?? '{}') as { paths: object }
    const paths = Object.entries(document.paths).filter(
      ([path]) => !/\/(?:chat|slide)\//.test(path),
    )
    return json({ ...document, paths: Object.fromEntries(paths) })
  }),
} as const satisfies Record<string, Fault>

/** The file is exported, but its reply has another `path`, or none. */
const replyWithPath = (wrongPath: unknown): Fault =>
  changeReply((reply) => {
    if (reply.status !== 200 || !reply.body) return reply
    const { path: _, ...rest } = JSON.parse(reply.body.toString()) as Record<string, unknown>
    return json({ ...rest, ...(wrongPath === undefined ? {} : { path: wrongPath }) })
  })

export const exportFaults = {
  'convert-failed': respond(() => errorDetail(500, 'Failed to convert presentation to PPTX model')),
  'runtime-failed': respond(() =>
    errorDetail(
      500,
      'Export task failed. returncode=1 stderr=Error: Presentation slides not found stdout=<empty>',
    ),
  ),
  'runtime-timeout': respond(() => errorDetail(500, 'Export task timed out after 300 seconds')),
  'path-outside': replyWithPath('/etc/passwd'),
  'path-dots': replyWithPath('/app_data/exports/../userConfig.json'),
  'path-encoded-dots': replyWithPath('/app_data/exports/%2e%2e/userConfig.json'),
  'path-backslash': replyWithPath('/app_data/exports\\..\\userConfig.json'),
  'path-other-host': replyWithPath('http://169.254.169.254/app_data/exports/x.pptx'),
  'path-scheme-relative': replyWithPath('//169.254.169.254/app_data/exports/x.pptx'),
  'path-relative': replyWithPath('app_data/exports/x.pptx'),
  'path-number': replyWithPath(7),
  'path-missing': replyWithPath(undefined),
} as const satisfies Record<string, Fault>
