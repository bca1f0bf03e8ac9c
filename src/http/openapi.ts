// The OpenAPI 3.1 description of the API, made from the routes, and the pages that show it.

import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import Type from 'typebox'
import type { App } from './base.ts'
import { completeDocument, type OpenapiDocument } from './openapi-document.ts'
import { noteRoute, type RouteNotes, toSwaggerSchema } from './openapi-routes.ts'
import { jsonResponse, publicProblemResponses, sharedSchemas } from './schemas.ts'
import { securityHeaders } from './security-headers.ts'

/** The pages load their own scripts, styles and inline style elements, and nothing else. */
const pagePolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

const description = [
  'Turns conversation summaries into presentations, for many users, in front of Presenton.',
  'Every response also has security headers, and those of CORS where it is allowed. Any other path',
  'returns `NotFound`, any other method `MethodNotAllowed` (see the components).',
].join('\n')

export interface OpenapiOptions {
  version: string
  publicUrl: () => string
}

/** Must be called before the routes are registered, because it collects them as they are added. */
export async function describeRoutes(app: App, { version }: Pick<OpenapiOptions, 'version'>) {
  for (const schema of sharedSchemas) app.addSchema(schema)
  const notes = new Map<string, RouteNotes>()
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'presenton-gateway',
        version,
        description,
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      tags: [
        {
          name: 'presentations',
          description: 'Create presentations, follow them, and download their files.',
        },
        { name: 'sources', description: 'Documents that presentations are made from.' },
        { name: 'templates', description: 'The templates of the presentation generator.' },
        { name: 'usage', description: 'Your quotas and their use.' },
        {
          name: 'session',
          description: "A cookie for a browser's EventSource and for plain links.",
        },
        {
          name: 'realtime',
          description: 'Progress and notifications over WebSocket and server-sent events.',
        },
        { name: 'maker', description: "The generator's own editor: links to it, and sessions." },
        { name: 'notifications', description: 'Your notifications.' },
        { name: 'webhooks', description: 'Signed messages to your own server.' },
        { name: 'mcp', description: 'What clients of the MCP server at `/mcp` need to sign in.' },
        { name: 'operations', description: 'For operators.' },
      ],
      components: {
        securitySchemes: {
          bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
          session: { type: 'apiKey', in: 'cookie', name: 'gateway_session' },
        },
      },
    },
    transform: ({ schema, url, route }) => {
      if (schema?.operationId !== undefined) notes.set(schema.operationId, noteRoute(route))
      // OpenAPI can't express a wildcard for the rest of a path.
      return { schema: toSwaggerSchema(schema ?? {}), url: url.replace(/\*$/, ':path') }
    },
    transformObject: (document) =>
      'openapiObject' in document
        ? completeDocument(document.openapiObject as OpenapiDocument, notes)
        : document.swaggerObject,
    refResolver: {
      buildLocalReference: (json, _base, _fragment, i) =>
        typeof json.$id === 'string' ? json.$id : `schema-${i}`,
    },
  })
}

/** `/openapi.json` and `/docs`. */
export async function openapiRoutes(app: App, { publicUrl }: Pick<OpenapiOptions, 'publicUrl'>) {
  const schema = {
    operationId: 'readOpenapi',
    tags: ['operations'],
    summary: 'Read this description',
    response: {
      200: jsonResponse(Type.Unsafe<object>({ type: 'object' }), {
        description: 'The OpenAPI document.',
        example: { openapi: '3.1.0', info: { title: 'presenton-gateway' }, paths: {} },
      }),
      ...publicProblemResponses(),
    },
  }
  // Made before any request and encoded once: both would block the event loop for a while.
  app.addHook('onReady', async () => void app.swagger())
  let encoded: Buffer | undefined
  app.get('/openapi.json', { schema }, async (_request, reply) => {
    encoded ??= Buffer.from(JSON.stringify({ ...app.swagger(), servers: [{ url: publicUrl() }] }))
    return reply.type('application/json; charset=utf-8').send(encoded)
  })
  await app.register(async (pages: App) => {
    securityHeaders(pages, { 'content-security-policy': pagePolicy })
    await pages.register(swaggerUi, { routePrefix: '/docs', uiConfig: { deepLinking: true } })
  })
}
