// Requests with a deadline, behind the circuit breaker, with bounded responses. They carry only the
// headers they are given; credentials and the rules for statuses are in calls.ts.

import type { Span } from '../telemetry/traces/span.ts'
import type { Breaker } from './breaker.ts'
import { type CallDeadline, createCallDeadline } from './call-deadline.ts'
import { failCall, startCallSpan, withTraceparent } from './call-span.ts'
import type { Connections, UpstreamResponse } from './connection.ts'
import { fault, type RouteKind, type TextResponse, timeout, toProblem } from './failures.ts'
import { createOpenedBody, type OpenedBody } from './opened-body.ts'

export interface UpstreamRequestOptions {
  routeKind: RouteKind
  method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  path: string
  json?: unknown
  /** The body of a request without `json`; called once for each time it is sent. */
  openBody?: () => AsyncIterable<Uint8Array>
  headers?: Record<string, string>
  /** For the whole request, the body of the response included. */
  timeoutMs: number
  signal: AbortSignal
  /** It may be sent twice, so it may use a connection that is open. */
  isRepeatable?: boolean
  /** Its success says nothing about the calls in which a model works. */
  isCheap?: boolean
  /** Statuses outside 2xx that are no failure, also not for the circuit breaker. */
  expectedStatuses?: readonly number[]
}

interface RequestsOptions {
  connections: Connections
  breaker: Breaker
  maxBodyBytes: number
  now(): number
}

export type Requests = ReturnType<typeof createRequests>

export function createRequests({ connections, breaker, maxBodyBytes, now }: RequestsOptions) {
  const deadlines = new Set<CallDeadline>()

  function startDeadline({ signal, timeoutMs }: UpstreamRequestOptions): CallDeadline {
    const onTimeout = () => timeout(`not done in ${timeoutMs} ms`)
    const deadline = createCallDeadline({ signal, timeoutMs, onTimeout })
    deadlines.add(deadline)
    return deadline
  }

  function endDeadline(deadline: CallDeadline): void {
    deadline.clear()
    deadlines.delete(deadline)
  }

  async function connect(
    { method = 'GET', path, json, openBody, headers = {}, isRepeatable }: UpstreamRequestOptions,
    { signal }: CallDeadline,
    span: Span | undefined,
  ): Promise<UpstreamResponse> {
    const traced = withTraceparent(headers, span)
    const response = await connections.open({
      method,
      path,
      json,
      openBody,
      signal,
      isRepeatable,
      headers: traced,
    })
    span?.set({ 'http.response.status_code': response.status })
    return response
  }

  /** Throws for a 5xx. This runs inside the circuit breaker, so the failure counts there. */
  async function readText(
    { routeKind, expectedStatuses }: UpstreamRequestOptions,
    { status, headers, body }: UpstreamResponse,
  ): Promise<TextResponse> {
    const parts: Buffer[] = []
    let sizeBytes = 0
    for await (const part of body as AsyncIterable<Buffer>) {
      sizeBytes += part.length
      if (sizeBytes > maxBodyBytes) throw fault('the response is too large')
      parts.push(part)
    }
    const response = { status, headers, text: Buffer.concat(parts).toString('utf8') }
    if (status >= 500 && !expectedStatuses?.includes(status))
      throw toProblem(response, { routeKind, nowMs: now() })
    return response
  }

  return {
    /** The whole response, for any status below 500. */
    fetchText: (request: UpstreamRequestOptions): Promise<TextResponse> =>
      breaker.run(
        async () => {
          const deadline = startDeadline(request)
          const span = startCallSpan(request)
          let response: UpstreamResponse | undefined
          try {
            response = await connect(request, deadline, span)
            return await readText(request, response)
          } catch (error) {
            throw failCall(span, connections.toFailure(error, deadline.signal))
          } finally {
            response?.close()
            endDeadline(deadline)
            span?.end()
          }
        },
        request.signal,
        request,
      ),

    /**
     * A 200 response whose body is read as it arrives; any other response below 500 as text. The
     * circuit breaker counts the head as a success and a later failure of the body by itself.
     * `stallMs` bounds the silence before the head and between two reads.
     */
    openBody: (
      request: UpstreamRequestOptions,
      stallMs: number,
    ): Promise<OpenedBody | TextResponse> =>
      breaker.run(
        async () => {
          const deadline = startDeadline(request)
          const stall = setTimeout(
            () => deadline.abort(timeout(`no response in ${stallMs} ms`)),
            stallMs,
          )
          // Ends with the body, which may take minutes.
          const span = startCallSpan(request)
          let response: UpstreamResponse | undefined
          function close(): void {
            endDeadline(deadline)
            response?.close()
            span?.end()
          }
          function toFailure(error: unknown): unknown {
            const failure = failCall(span, connections.toFailure(error, deadline.signal))
            if (!request.signal.aborted) breaker.recordFailure(failure)
            return failure
          }
          try {
            response = await connect(request, deadline, span)
            if (response.status === 200)
              return createOpenedBody({ response, deadline, stallMs, close, toFailure })
            const text = await readText(request, response)
            close()
            return text
          } catch (error) {
            const failure = failCall(span, connections.toFailure(error, deadline.signal))
            close()
            throw failure
          } finally {
            clearTimeout(stall)
          }
        },
        request.signal,
        // A good head must not hide that streams stall or are cut: only failures count.
        { isCheap: true },
      ),

    /** Status and headers, with an empty text. The circuit breaker is neither asked nor told. */
    async fetchHeadUncounted(request: UpstreamRequestOptions): Promise<TextResponse> {
      const deadline = startDeadline(request)
      try {
        const response = await connect(request, deadline, undefined)
        response.close()
        return { status: response.status, headers: response.headers, text: '' }
      } finally {
        endDeadline(deadline)
      }
    },

    /** Aborts every request under way with `reason`. */
    close(reason: unknown): void {
      for (const deadline of deadlines) deadline.abort(reason)
      deadlines.clear()
    },
  }
}
