// Completes the document that @fastify/swagger makes of the routes: the headers of each response,
// links between operations, optional bodies, and responses that belong to no operation.

import { problems } from '../contract/problem.ts'
import { type Link, linksOf } from './openapi-links.ts'
import type { RouteNotes } from './openapi-routes.ts'
import { problemType } from './problems.ts'
import { type DescribedHeader, describeHeaders, rateLimitHeaders } from './response-headers.ts'

interface Response {
  description: string
  headers?: Record<string, DescribedHeader>
  content?: Record<string, { schema?: { $ref?: string } }>
  links?: Record<string, Link>
}

interface Operation {
  operationId: string
  summary?: string
  parameters?: { name: string; in: string }[]
  requestBody?: { required?: boolean }
  security?: object[]
  responses: Record<string, Response>
}

export interface OpenapiDocument {
  paths: Record<string, Record<string, Operation>>
  components: { schemas: object; securitySchemes: object; responses?: Record<string, Response> }
}

const required = { isRequired: true }
const optional = { isRequired: false }

export function completeDocument(
  { paths, components, ...document }: OpenapiDocument,
  notesByOperation: ReadonlyMap<string, RouteNotes>,
) {
  for (const operation of Object.values(paths).flatMap((methods) => Object.values(methods))) {
    const notes = notesByOperation.get(operation.operationId)
    if (!notes) throw new Error(`${operation.operationId} is not the operation of a route`)
    // Said explicitly, because linters take a missing list for a forgotten one.
    operation.security ??= []
    if (notes.isBodyOptional && operation.requestBody) operation.requestBody.required = false
    for (const [status, response] of Object.entries(operation.responses)) {
      response.headers = {
        ...commonHeaders(status, operation, notes),
        ...notes.headersByStatus[status],
      }
      if (status.startsWith('2')) {
        const links = linksOf(operation.operationId, bodyComponent(response), paths)
        if (Object.keys(links).length > 0) response.links = links
      }
    }
  }
  return { ...document, paths, components: { ...components, responses: responsesOfNoOperation } }
}

/** The headers that follow from the status. */
function commonHeaders(status: string, { parameters = [] }: Operation, notes: RouteNotes) {
  // The parser refuses some requests before they are counted.
  const isCounted = !['400', '408', '431'].includes(status)
  // A request that a later one can repeat, or that waits for others of the same deck.
  const mayWait = parameters.some(({ name }) => ['idempotency-key', 'if-match'].includes(name))
  return {
    ...describeHeaders(['X-Request-Id'], required),
    ...((notes.hasCacheControl || status >= '400') && describeHeaders(['Cache-Control'], required)),
    ...(notes.isRateLimited && describeHeaders(rateLimitHeaders, { isRequired: isCounted })),
    ...(status === '401' && describeHeaders(['WWW-Authenticate'], required)),
    ...(status === '426' && describeHeaders(['Upgrade', 'Sec-WebSocket-Version'], required)),
    ...(status === '412' && describeHeaders(['ETag'], required)),
    ...(['429', '503'].includes(status) && describeHeaders(['Retry-After'], required)),
    ...(status === '409' && mayWait && describeHeaders(['Retry-After'], optional)),
  }
}

function bodyComponent({ content }: Response): string | undefined {
  return content?.['application/json']?.schema?.$ref?.replace(/^.*\//, '')
}

/** A path, or a method of a path, that no operation describes. */
const responsesOfNoOperation: Record<string, Response> = {
  NotFound: problemResponse('NOT_FOUND', {}),
  MethodNotAllowed: problemResponse('METHOD_NOT_ALLOWED', describeHeaders(['Allow'], required)),
}

function problemResponse(
  code: keyof typeof problems,
  headers: Record<string, DescribedHeader>,
): Response {
  return {
    description: `\`${code}\`: ${problems[code].detail}`,
    headers: {
      ...describeHeaders(['X-Request-Id', 'Cache-Control'], required),
      ...describeHeaders(rateLimitHeaders, optional),
      ...headers,
    },
    content: { [problemType]: { schema: { $ref: '#/components/schemas/Problem' } } },
  }
}
