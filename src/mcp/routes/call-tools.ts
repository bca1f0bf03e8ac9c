// POST /mcp: the Model Context Protocol over streamable HTTP, without sessions, so any replica
// can take any request. The official library speaks the protocol; HTTP's own failures stay problem
// documents, and what is not JSON is a JSON-RPC error.

import { Readable } from 'node:stream'
import type { ReadableStream } from 'node:stream/web'
import { createMcpHandler } from '@modelcontextprotocol/server'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { Problem } from '../../domain/problem.ts'
import { checkGivenOrigin } from '../../http/auth.ts'
import type { App } from '../../http/base.ts'
import { jsonBodies } from '../../http/body/json-bodies.ts'
import { disconnectSignal } from '../../http/disconnect.ts'
import { asProblem, handleError, logProblem } from '../../http/problems.ts'
import type { CheckRateLimit } from '../../http/rate-limit.ts'
import { endSpanAtHeaders } from '../../http/trace-requests.ts'
import { createServerFactory, type RequestScope } from '../server.ts'
import { createTools, type ToolServices } from '../tools.ts'

export interface CallTools extends ToolServices {
  version: string
  publicUrl: () => string
  isTrustedOrigin: (origin: string) => boolean
  checkRateLimit: CheckRateLimit
}

/** Protocol revision 2025-03-26 has batches. Each message of one counts for the rate limit. */
const maxBatch = 20

export const mcpPath = '/mcp'

/** For a scope whose callers have a bearer token. */
export async function callToolsRoute(scope: App, options: CallTools): Promise<void> {
  const { version, publicUrl, isTrustedOrigin, checkRateLimit } = options
  const handler = createMcpHandler(createServerFactory({ tools: createTools(options), version }), {
    // A subscription would have nothing to report: the tools do not change while a replica runs.
    maxSubscriptions: 0,
    onerror: (error) => scope.log.debug({ err: error }, 'MCP request refused'),
  })
  scope.addHook('onClose', () => handler.close())
  jsonBodies(scope)
  scope.addHook('onRequest', async (request) => checkGivenOrigin(request, isTrustedOrigin))
  scope.setErrorHandler((error, request, reply) => {
    const problem = asProblem(error)
    const isUnreadable = problem.code === 'VALIDATION_FAILED' && problem.status === 400
    return isUnreadable ? sendParseError(reply) : handleError(error, request, reply)
  })

  scope.post(mcpPath, { schema: { hide: true } }, async (request, reply) => {
    const { body } = request
    if (body === undefined) return sendParseError(reply)
    if (Array.isArray(body)) await countBatch(body, request, reply)
    const response = await handler.fetch(toFetchRequest(request, publicUrl()), {
      authInfo: { token: '', clientId: '', scopes: [], extra: { scope: scopeOf(request, reply) } },
      parsedBody: body,
    })
    return sendResponse(reply, response)
  })

  async function countBatch(batch: unknown[], request: FastifyRequest, reply: FastifyReply) {
    if (batch.length > maxBatch) throw new Problem('PAYLOAD_TOO_LARGE')
    for (const _ of batch.slice(1)) await checkRateLimit(request, reply)
  }
}

function scopeOf(request: FastifyRequest, reply: FastifyReply): RequestScope {
  return {
    userId: request.caller.userId,
    disconnected: disconnectSignal(reply),
    validate(schema, value) {
      const check = request.compileValidationSchema(schema as Record<string, unknown>)
      if (check(value)) return
      throw Object.assign(new Error('invalid arguments'), {
        validation: check.errors,
        validationContext: 'body',
        arguments: value,
      })
    },
    toProblem(error) {
      const problem = asProblem(error, Reflect.get(Object(error), 'arguments'))
      logProblem(request, problem, error)
      return problem
    },
  }
}

/** Without credentials, which the library does not need. */
function toFetchRequest({ headers }: FastifyRequest, publicUrl: string): Request {
  const { authorization: _token, cookie: _cookie, ...passed } = headers
  const entries = Object.entries(passed).flatMap(([name, value]) =>
    typeof value === 'string' ? [[name, value] as [string, string]] : [],
  )
  return new Request(`${publicUrl}${mcpPath}`, { method: 'POST', headers: entries })
}

function sendResponse(reply: FastifyReply, { status, headers, body }: Response) {
  reply.code(status)
  for (const [name, value] of headers) {
    // The server decides about its connections and caches.
    if (name !== 'connection' && name !== 'cache-control') reply.header(name, value)
  }
  if (headers.get('content-type') === 'text/event-stream') {
    reply.header('cache-control', 'no-store, no-transform')
    endSpanAtHeaders(reply)
  }
  return reply.send(body ? Readable.fromWeb(body as ReadableStream) : undefined)
}

function sendParseError(reply: FastifyReply) {
  const error = { code: -32700, message: 'Parse error' }
  return reply.code(400).send({ jsonrpc: '2.0', id: null, error })
}
