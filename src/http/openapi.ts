// The OpenAPI 3.1 description of the API, made from the routes, and the pages that show it.

import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import Type from 'typebox'
import type { App } from './base.ts'
import { publicProblemResponses, sharedSchemas } from './schemas.ts'
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

export interface OpenapiOptions {
  version: string
  publicUrl: () => string
}

/** Must be called before the routes are registered, because it collects them as they are added. */
export async function describeRoutes(app: App, { version }: Pick<OpenapiOptions, 'version'>) {
  for (const schema of sharedSchemas) app.addSchema(schema)
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'presenton-gateway',
        version,
        description:
          'Turns conversation summaries into presentations, for many users, in front of Presenton.',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      tags: [
        {
          name: 'presentations',
          description: 'Create presentations, follow them, and download their files.',
        },
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
        { name: 'notifications', description: 'Your notifications.' },
        { name: 'operations', description: 'For operators.' },
      ],
      components: {
        securitySchemes: {
          bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
          session: { type: 'apiKey', in: 'cookie', name: 'gateway_session' },
        },
      },
    },
    // OpenAPI can't express a wildcard for the rest of a path.
    transform: ({ schema, url }) => ({ schema, url: url.replace(/\*$/, ':path') }),
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
    response: { 200: Type.Unsafe<object>({ type: 'object' }), ...publicProblemResponses() },
  }
  app.get('/openapi.json', { schema }, async () => ({
    ...app.swagger(),
    servers: [{ url: publicUrl() }],
  }))
  await app.register(async (pages: App) => {
    securityHeaders(pages, { 'content-security-policy': pagePolicy })
    await pages.register(swaggerUi, { routePrefix: '/docs', uiConfig: { deepLinking: true } })
  })
}
