/**
 * Faults that any operation can meet: it is answered, or not, without anything being done.
 */

import { crashed, detail, json, page, type Reply } from '../reply.ts'
import type { Fault, Scene } from './fault.ts'

const answer = (reply: (scene: Scene) => Reply): Fault => ({ kind: 'answer', reply })

const ofFile = ({ operation }: Scene) => operation === 'file' || operation === 'asset'

export const answers = {
  /** FastAPI away or slow, as nginx says it. */
  '502': answer(() => page(502)),
  '503': answer(() => page(503)),
  '504': answer(() => page(504)),
  '500': answer((scene) => (ofFile(scene) ? page(500) : crashed())),
  '500-detail': answer(() =>
    detail(500, 'Traceback: postgresql://presenton:s3cr3t@db:5432/presenton is gone'),
  ),
  '400': answer(() => detail(400, 'Bad request')),
  '401': answer((scene) => (ofFile(scene) ? page(401) : detail(401, 'Unauthorized'))),
  '403': answer((scene) => (ofFile(scene) ? page(403) : detail(403, 'Forbidden'))),
  /** Our deck is gone; of a file: no such file. */
  '404': answer((scene) => (ofFile(scene) ? page(404) : detail(404, 'Presentation not found'))),
  /** The route is gone. */
  '404-route': answer(() => detail(404, 'Not Found')),
  '405': answer(() => detail(405, 'Method Not Allowed', { allow: 'GET' })),
  '408': answer(() => page(408)),
  '413': answer(() => page(413)),
  '422': answer(() =>
    json(
      {
        detail: [
          { type: 'missing', loc: ['body', 'new_field'], msg: 'Field required', input: null },
        ],
      },
      422,
    ),
  ),
  '428': answer(() => json({ detail: 'Login setup is required', setup_required: true }, 428)),
  '429': answer(() => detail(429, 'Too many requests', { 'retry-after': '1' })),
  '429-page': answer(() => page(429)),
  redirect: answer(() => page(302, { location: 'http://127.0.0.1:9/elsewhere' })),
  reset: { kind: 'reset' },
  hang: { kind: 'hang' },
} as const satisfies Record<string, Fault>
