// The MCP server and what its clients read before they sign in.

import type { AuthOptions } from '../http/auth.ts'
import { authenticateBearer } from '../http/auth.ts'
import type { App } from '../http/base.ts'
import { cacheControl } from '../http/security-headers.ts'
import { type CallTools, callToolsRoute } from './routes/call-tools.ts'
import { createChallenge } from './routes/describe-resource.ts'

export interface McpRoutes extends CallTools, Pick<AuthOptions, 'verify'> {}

/** For a scope without authentication: it accepts bearer tokens only. */
export async function mcpRoutes(scope: App, options: McpRoutes): Promise<void> {
  const { verify, checkRateLimit, publicUrl } = options
  cacheControl(scope, 'no-store')
  authenticateBearer(scope, { verify, checkRateLimit, challenge: createChallenge(publicUrl) })
  await callToolsRoute(scope, options)
}
