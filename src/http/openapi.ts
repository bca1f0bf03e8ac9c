// The description of the whole interface (OpenAPI 3.1), made from the routes themselves, and pages
// to read it with.

import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import Type from 'typebox'
import type { App } from './base.ts'
import { publicProblemResponses, sharedSchemas } from './schemas.ts'

/**
 * The pages load their own scripts and styles, and style elements inline; nothing from anywhere
 * else.
 */
const docsContentSecurityPolicy = {
  'default-src': ["'none'"],
  'script-src': ["'self'"],
  'style-src': ["'self'", "'unsafe-inline'"],
  'img-src': ["'self'", 'data:'],
  'font-src': ["'self'", 'data:'],
  'connect-src': ["'self'"],
  'base-uri': ["'none'"],
  'form-action': ["'none'"],
  'frame-ancestors': ["'none'"],
}

export interface OpenapiOptions {
  version: string
  publicUrl: () => string
}

/** Must be registered before the routes: it listens to them being added. */
export async function describeRoutes(app: App, { version }: Pick<OpenapiOptions, 'version'>) {
  for (const schema of sharedSchemas) app.addSchema(schema)
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'presenton-gateway',
        version,
        description:
          'Turns conversation summaries into decks, for many users, in front of Presenton.',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      tags: [
        { name: 'presentations', description: 'Make decks, follow them, and fetch them.' },
        { name: 'templates', description: 'What decks can look like.' },
        { name: 'usage', description: 'What your quotas are.' },
        {
          name: 'session',
          description: "A cookie for the browser's own EventSource and for plain links.",
        },
        { name: 'operations', description: 'For those who run the service.' },
      ],
      components: {
        securitySchemes: {
          bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
          session: { type: 'apiKey', in: 'cookie', name: 'gateway_session' },
        },
      },
    },
    // OpenAPI has no word for the rest of a path.
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
    summary: 'This description',
    response: { 200: Type.Unsafe<object>({ type: 'object' }), ...publicProblemResponses() },
  }
  app.get('/openapi.json', { schema }, async () => ({
    ...app.swagger(),
    servers: [{ url: publicUrl() }],
  }))
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    uiConfig: { deepLinking: true },
    staticCSP: docsContentSecurityPolicy,
  })
}
