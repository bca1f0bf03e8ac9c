// One MCP server for each request: it lists the tools and handles calls for the request's user.
// The protocol's library has a helper that registers tools, but it refuses invalid arguments with
// texts of its own, so the two methods are handled here.

import {
  type CallToolResult,
  type McpRequestContext,
  ProtocolError,
  ProtocolErrorCode,
  Server,
  type ServerContext,
} from '@modelcontextprotocol/server'
import { anySignal } from '../async/signals.ts'
import type { Problem } from '../domain/problem.ts'
import type { PresentationRow } from '../presentations/statements/queries.ts'
import { inSpan } from '../telemetry/traces/span.ts'
import { toAdvertisedSchema } from './input-schema.ts'
import { toFailure, toResult } from './results.ts'
import type { Tool } from './tool.ts'

/** What the route knows of the request that a server is made for. */
export interface RequestScope {
  userId: string
  disconnected: AbortSignal
  /** @throws an error that `toProblem` turns into VALIDATION_FAILED */
  validate: (schema: object, value: unknown) => void
  /** Also logs it. */
  toProblem: (error: unknown) => Problem
}

const instructions = [
  'Makes slide decks from summaries of conversations.',
  'make_presentation answers at once with an id; get_presentation with wait_seconds tells when the',
  'deck is completed; get_download_link gives the file. Follow the sentence in next.',
].join(' ')

export function createServerFactory({ tools, version }: { tools: Tool[]; version: string }) {
  const byName = new Map(tools.map((tool) => [tool.name, tool]))
  const listed = tools.map(({ name, title, description, annotations, input, output }) => ({
    name,
    title,
    description,
    annotations: { title, ...annotations, openWorldHint: false },
    inputSchema: toAdvertisedSchema(input) as { type: 'object' },
    outputSchema: toAdvertisedSchema(output) as { type: 'object' },
  }))

  return function createServer({ authInfo }: McpRequestContext): Server {
    const scope = authInfo?.extra?.['scope'] as RequestScope
    const server = new Server(
      { name: 'presenton-gateway', title: 'Presenton Gateway', version },
      { capabilities: { tools: {} }, instructions },
    )
    server.setRequestHandler('tools/list', async () => ({ tools: listed }))
    server.setRequestHandler('tools/call', async ({ params }, context) => {
      const tool = byName.get(params.name)
      if (!tool) {
        throw new ProtocolError(ProtocolErrorCode.InvalidParams, 'There is no tool of this name.')
      }
      const attributes = { 'mcp.method.name': 'tools/call', 'gen_ai.tool.name': tool.name }
      return inSpan(`tools/call ${tool.name}`, { attributes }, (span) =>
        call(tool, params.arguments ?? {}, scope, context, (code) => span?.fail(code)),
      )
    })
    return server
  }
}

async function call(
  tool: Tool,
  input: Record<string, unknown>,
  { userId, disconnected, validate, toProblem }: RequestScope,
  { mcpReq }: ServerContext,
  onFailure: (code: string) => void,
): Promise<CallToolResult> {
  try {
    validate(tool.input, input)
    const signal = anySignal(disconnected, mcpReq.signal)
    const reportProgress = createProgressReports(mcpReq)
    return toResult(await tool.call(input as never, { userId, signal, reportProgress }))
  } catch (error) {
    const problem = toProblem(error)
    onFailure(problem.code)
    return toFailure(problem)
  }
}

/** Notifications of progress, for a caller that gave a token. The numbers must rise. */
function createProgressReports({ _meta, notify }: ServerContext['mcpReq']) {
  const { progressToken } = _meta ?? {}
  let last = -1
  return ({ progress, slidesDone, nSlides }: PresentationRow) => {
    if (progressToken === undefined || progress <= last) return
    last = progress
    const message = `${slidesDone} of ${nSlides} slides`
    const params = { progressToken, progress, total: 1, message }
    // Fails only when the caller is gone, which ends the call anyway.
    notify({ method: 'notifications/progress', params }).catch(() => undefined)
  }
}
