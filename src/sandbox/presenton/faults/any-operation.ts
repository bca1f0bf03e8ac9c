/**
 * Faults for every operation: an error response, or none, and no work is done.
 */

import { errorDetail, internalServerError, json, nginxPage, type Reply } from '../reply.ts'
import type { Fault, FaultContext } from './fault.ts'

const respond = (reply: (context: FaultContext) => Reply): Fault => ({ kind: 'respond', reply })

/** nginx serves files itself, so their errors are its pages. */
const isFile = ({ operation }: FaultContext) => operation === 'file' || operation === 'asset'

export const anyOperationFaults = {
  /** FastAPI is down or slow: nginx responds. */
  '502': respond(() => nginxPage(502)),
  '503': respond(() => nginxPage(503)),
  '504': respond(() => nginxPage(504)),
  '500': respond((context) => (isFile(context) ? nginxPage(500) : internalServerError())),
  '500-detail': respond(() =>
    errorDetail(500, 'Traceback: postgresql://presenton:s3cr3t@db:5432/presenton is gone'),
  ),
  '400': respond(() => errorDetail(400, 'Bad request')),
  '401': respond((context) =>
    isFile(context) ? nginxPage(401) : errorDetail(401, 'Unauthorized'),
  ),
  '403': respond((context) => (isFile(context) ? nginxPage(403) : errorDetail(403, 'Forbidden'))),
  /** The deck or file is gone. */
  '404': respond((context) =>
    isFile(context) ? nginxPage(404) : errorDetail(404, 'Presentation not found'),
  ),
  /** The route is gone. */
  '404-route': respond(() => errorDetail(404, 'Not Found')),
  '405': respond(() => errorDetail(405, 'Method Not Allowed', { allow: 'GET' })),
  '408': respond(() => nginxPage(408)),
  '413': respond(() => nginxPage(413)),
  '422': respond(() =>
    json(
      {
        detail: [
          { type: 'missing', loc: ['body', 'new_field'], msg: 'Field required', input: null },
        ],
      },
      422,
    ),
  ),
  '428': respond(() => json({ detail: 'Login setup is required', setup_required: true }, 428)),
  '429': respond(() => errorDetail(429, 'Too many requests', { 'retry-after': '1' })),
  '429-page': respond(() => nginxPage(429)),
  redirect: respond(() => nginxPage(302, { location: 'http://127.0.0.1:9/elsewhere' })),
  reset: { kind: 'reset' },
  hang: { kind: 'hang' },
} as const satisfies Record<string, Fault>
