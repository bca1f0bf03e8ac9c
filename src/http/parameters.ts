// Brings path and query parameters into the form that the routes of the API expect.
import type { FastifyRequest } from 'fastify'
import type { App } from './base.ts'

export function normalizeParameters(scope: App) {
  scope.addHook('preValidation', async (request) => {
    parseIntegers(request)
    lowerCaseId(request)
  })
}

/** Query parameters are text. Digits become a number where the schema says integer. */
function parseIntegers(request: FastifyRequest) {
  const schema = request.routeOptions.schema?.querystring as
    | { properties?: Record<string, { type?: string }> }
    | undefined
  const query = request.query as Record<string, unknown>
  for (const [name, property] of Object.entries(schema?.properties ?? {})) {
    const value = query[name]
    if (property.type === 'integer' && typeof value === 'string' && /^-?\d{1,15}$/.test(value))
      query[name] = Number(value)
  }
}

/** UUIDs may come in capitals; the database has them in lower case. */
function lowerCaseId({ params }: FastifyRequest) {
  const given = params as { id?: unknown }
  if (typeof given.id === 'string') given.id = given.id.toLowerCase()
}
