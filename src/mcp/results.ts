// The results of tool calls, in the form of the protocol.

import type { CallToolResult } from '@modelcontextprotocol/server'
import type { Problem } from '../domain/problem.ts'
import { problemHeaders } from '../http/problems.ts'
import type { ToolResult } from './tool.ts'

export function toResult({ structured, text }: ToolResult): CallToolResult {
  return {
    content: [{ type: 'text', text }],
    structuredContent: structured as Record<string, unknown>,
  }
}

/** The first text is JSON: `{code, detail, retry_after?}`, with `retry_after` in seconds. */
export function toFailure(problem: Problem): CallToolResult {
  const { 'retry-after': seconds } = problemHeaders(problem)
  const failure = {
    code: problem.code,
    detail: detailOf(problem),
    ...(seconds !== undefined && { retry_after: Number(seconds) }),
  }
  return { isError: true, content: [{ type: 'text', text: JSON.stringify(failure) }] }
}

/** An agent corrects its arguments only when it reads which of them are wrong. */
function detailOf({ detail, errors = [] }: Problem): string {
  const places = errors.map(({ path, message }) => `${path || 'the arguments'} ${message}`)
  return places.length > 0 ? `${detail} ${places.join('; ')}.` : detail
}
