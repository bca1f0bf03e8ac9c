// The span of one request to Presenton. Paths hold ids, titles and names of files, so its name has
// only the words of the API that are known.

import { activeSpan, errorTypeOf, type Span } from '../telemetry/traces/span.ts'

const words = new Set([
  ...[
    'api',
    'v1',
    'ppt',
    'auth',
    'status',
    'verify',
    'login',
    'openapi.json',
    'app_data',
    'static',
  ],
  ...['presentation', 'create', 'prepare', 'files', 'upload', 'update', 'slide_update', 'export'],
  ...['slide', 'edit', 'chat', 'message', 'conversation', 'outlines', 'stream', 'images', 'fonts'],
  ...['templates', 'template', 'template-management', 'summary', 'all', 'exports'],
])

/** The path with a placeholder for what is no word of the API, and without its query. */
export function templateOf(path: string): string {
  const [plain = ''] = path.split(/[?#]/)
  const segments = plain.split('/').map((segment, i) => {
    return i === 0 || words.has(segment) ? segment : '{id}'
  })
  return segments.join('/').replace(/(\/\{id\})+$/, '/{id}')
}

/** Undefined outside of a trace. Who starts it also ends it. */
export function startCallSpan({
  method = 'GET',
  path,
}: {
  method?: string
  path: string
}): Span | undefined {
  const parent = activeSpan()
  if (!parent) return undefined
  const template = templateOf(path)
  return parent.child(`${method} ${template}`, {
    kind: 'client',
    attributes: {
      'http.request.method': method,
      'url.template': template,
      'service.peer.name': 'presenton',
    },
  })
}

/** Adds the header that lets Presenton continue the trace. */
export function withTraceparent(
  headers: Record<string, string>,
  span: Span | undefined,
): Record<string, string> {
  return span ? { ...headers, traceparent: span.traceparent } : headers
}

/** Marks the span as failed and returns the error. */
export function failCall<E>(span: Span | undefined, error: E): E {
  span?.fail(errorTypeOf(error))
  return error
}
