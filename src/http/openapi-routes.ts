// What @fastify/swagger takes from a route, and what it has no way to express: that is noted here
// while it collects the routes, and added to the finished document by openapi-document.ts.

import type { RouteOptions } from 'fastify'
import { defaultToEmptyBody } from './body/json-bodies.ts'
import type { DescribedHeader } from './response-headers.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The requests of the route count for the rate limit. */
    isRateLimited?: boolean
    /** The Cache-Control of its responses. */
    cacheControl?: string
  }
  interface FastifySchema {
    operationId?: string
    /** What the route checks or reads itself. It replaces the schema of the same place. */
    openapi?: {
      headers?: object
      params?: object
      querystring?: object
      body?: object
      consumes?: string[]
    }
  }
}

export interface RouteNotes {
  isRateLimited: boolean
  hasCacheControl: boolean
  /** No body counts as `{}`. */
  isBodyOptional: boolean
  headersByStatus: Record<string, Record<string, DescribedHeader>>
}

interface ResponseSchema {
  type?: string
  description?: string
  headers?: Record<string, DescribedHeader>
  examples?: unknown[]
  content?: object
}

/** The notes of a route, by its operation's id. */
export function noteRoute({ schema = {}, config, preValidation }: RouteOptions): RouteNotes {
  const responses = Object.entries((schema.response ?? {}) as Record<string, ResponseSchema>)
  return {
    isRateLimited: config?.isRateLimited ?? false,
    hasCacheControl: config?.cacheControl !== undefined,
    isBodyOptional: preValidation === defaultToEmptyBody,
    headersByStatus: Object.fromEntries(
      responses.map(([status, { headers }]) => [status, headers ?? {}]),
    ),
  }
}

/** The schema of a route as @fastify/swagger reads it. */
export function toSwaggerSchema({
  openapi,
  response,
  ...schema
}: NonNullable<RouteOptions['schema']>) {
  const responses = Object.entries((response ?? {}) as Record<string, ResponseSchema>)
  return {
    ...schema,
    ...openapi,
    response: Object.fromEntries(
      responses.map(([status, described]) => [status, toSwaggerResponse(described)]),
    ),
  }
}

/** Beside a `$ref`, @fastify/swagger would drop the example. */
function toSwaggerResponse({ headers: _, ...response }: ResponseSchema) {
  const { description, examples, ...schema } = response
  if (!examples || response.content) return response
  return { description, content: { 'application/json': { schema, example: examples[0] } } }
}
