// The official MCP client, in both eras of the protocol.

import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { expect } from 'vitest'
import { createClient } from '../client/client.ts'

export const protocols = ['2025', '2026-07-28'] as const
export type Protocol = (typeof protocols)[number]

// biome-ignore lint/suspicious/noExplicitAny: journeys inspect every kind of answer
export type Structured = any

export interface CallToolOptions {
  onprogress?: (progress: { progress: number; total?: number | undefined }) => void
  signal?: AbortSignal
}

/** Connects to the gateway at `url`, which may change between calls. */
export async function openMcpClient(
  url: () => string,
  { token, protocol }: { token: string; protocol: Protocol },
) {
  const client = new Client(
    { name: 'journey', version: '1' },
    protocol === '2025' ? {} : { versionNegotiation: { mode: { pin: protocol } } },
  )
  const transport = new StreamableHTTPClientTransport(new URL('http://gateway.invalid/mcp'), {
    fetch: (_url, init) => fetch(`${url()}/mcp`, init),
    requestInit: { headers: { authorization: `Bearer ${token}` } },
  })
  await client.connect(transport)
  // The client checks structured content against the schemas that it has seen.
  await client.listTools()

  async function call(name: string, args: object = {}, options: CallToolOptions = {}) {
    const result = await client.callTool({ name, arguments: { ...args } }, options)
    const [first] = result.content as { type: string; text: string }[]
    return {
      isError: result.isError === true,
      structured: result.structuredContent as Structured,
      text: first?.text ?? '',
    }
  }

  return {
    client,
    call,
    /** What the same user sees over the API. */
    gateway: createClient({ baseUrl: url(), token }),
    /** The structured content of a call that succeeds. */
    async get(name: string, args: object = {}, options?: CallToolOptions): Promise<Structured> {
      const { isError, structured, text } = await call(name, args, options)
      expect({ isError, text }).toMatchObject({ isError: false })
      expect(text.length).toBeGreaterThan(0)
      return structured
    },
    /** The failure of a call that is refused. */
    async refusal(name: string, args: object = {}) {
      const { isError, structured, text } = await call(name, args)
      expect({ isError, structured }).toEqual({ isError: true, structured: undefined })
      return JSON.parse(text) as { code: string; detail: string; retry_after?: number }
    },
    close: () => client.close(),
  }
}

export type McpClient = Awaited<ReturnType<typeof openMcpClient>>
