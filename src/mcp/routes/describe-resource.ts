// GET /.well-known/oauth-protected-resource: where clients of the MCP server get their tokens
// (RFC 9728). Clients in browsers read it from any origin, so it holds nothing secret.

import Type from 'typebox'
import type { App } from '../../http/base.ts'
import { jsonResponse, publicProblemResponses } from '../../http/schemas.ts'
import { cacheControl, securityHeaders } from '../../http/security-headers.ts'
import { mcpPath } from './call-tools.ts'

export const metadataPath = '/.well-known/oauth-protected-resource'

export interface DescribeResource {
  publicUrl: () => string
  /** AUTH_ISSUER. */
  issuer: string | undefined
}

/** What a 401 of the MCP server says about tokens. */
export function createChallenge(publicUrl: () => string) {
  return () => `Bearer resource_metadata="${publicUrl()}${metadataPath}${mcpPath}"`
}

export async function describeResourceRoutes(
  scope: App,
  { publicUrl, issuer }: DescribeResource,
): Promise<void> {
  securityHeaders(scope, { 'cross-origin-resource-policy': 'cross-origin' })
  cacheControl(scope, 'public, max-age=300')
  const describe = () => ({
    resource: `${publicUrl()}${mcpPath}`,
    ...(issuer !== undefined && { authorization_servers: [issuer] }),
    bearer_methods_supported: ['header'],
  })
  scope.get(metadataPath, { schema: schemaOf('readResourceMetadata') }, describe)
  scope.get(
    `${metadataPath}${mcpPath}`,
    { schema: schemaOf('readResourceMetadataOfMcp') },
    describe,
  )
}

function schemaOf(operationId: string) {
  return {
    operationId,
    tags: ['mcp'],
    summary: 'Read where clients of the MCP server get their tokens',
    description: 'RFC 9728. Readable from any origin, without authentication.',
    response: {
      200: jsonResponse(
        Type.Object({
          resource: Type.String(),
          authorization_servers: Type.Optional(Type.Array(Type.String())),
          bearer_methods_supported: Type.Array(Type.String()),
        }),
        {
          description: 'The metadata.',
          example: {
            resource: 'https://slides.example/mcp',
            authorization_servers: ['https://id.example'],
            bearer_methods_supported: ['header'],
          },
        },
      ),
      ...publicProblemResponses(),
    },
  }
}
