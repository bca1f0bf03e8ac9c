// A server that answers as a test tells it, for tests of the client over real sockets.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type ClientOptions, createClient, GatewayError } from './client.ts'

export interface Received {
  method: string
  path: string
  headers: IncomingMessage['headers']
  body: string
}

export type Answer = (response: ServerResponse, received: Received) => void

/** Requests are answered by `answer`, and recorded. */
export async function openTestGateway(answer: Answer) {
  const received: Received[] = []
  const server = createServer(async (request, response) => {
    const parts: Buffer[] = []
    for await (const part of request) parts.push(part as Buffer)
    const call = {
      method: request.method ?? '',
      path: request.url ?? '',
      headers: request.headers,
      body: Buffer.concat(parts).toString(),
    }
    received.push(call)
    answer(response, call)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const waits: number[] = []
  const timing = {
    random: () => 0,
    async sleep(ms: number, signal?: AbortSignal) {
      signal?.throwIfAborted()
      waits.push(ms)
    },
  }
  return {
    url,
    received,
    /** The waits of its clients, in ms; none of them takes time. */
    waits,
    client: (options: Partial<ClientOptions> = {}) =>
      createClient({ baseUrl: url, token: 'token', timing, ...options }),
    async close() {
      const closed = new Promise((resolve) => server.close(resolve))
      server.closeAllConnections()
      await closed
    },
  }
}

export function sendJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers })
  response.end(JSON.stringify(body))
}

export function sendProblem(
  response: ServerResponse,
  status: number,
  code: string,
  headers: Record<string, string> = {},
): void {
  const problem = { type: 'about:blank', title: code, status, detail: code, code }
  sendJson(response, status, { ...problem, instance: '/', request_id: 'r1' }, headers)
}

/** Answers of one sequence; the last one repeats. */
export function inTurn(...answers: Answer[]): Answer {
  let next = 0
  return (response, received) => {
    const answer = answers[Math.min(next, answers.length - 1)]
    next += 1
    answer?.(response, received)
  }
}

/** The error with which a call fails. */
export async function failureOf(call: Promise<unknown>): Promise<GatewayError> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (error instanceof GatewayError) return error
  throw new Error('expected a GatewayError', { cause: error })
}
