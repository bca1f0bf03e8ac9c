// A call to upstream with everything a call needs: our credentials and one new login when they were
// refused, the circuit breaker, a deadline, and bounded answers. Who calls it says what is asked;
// what an answer means is in `failures`.

import { type CallOptions, sharedAccount } from './account.ts'
import type { Breaker } from './breaker.ts'
import { type CallDeadline, createCallDeadline } from './call-deadline.ts'
import type { Connections, UpstreamResponse } from './connection.ts'
import {
  fault,
  isUnauthorized,
  problemOf,
  type Subject,
  type TextResponse,
  timedOut,
} from './failures.ts'
import type { AuthKind, Login } from './login.ts'

export interface Call extends CallOptions {
  subject: Subject
  method?: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  path: string
  json?: unknown
  headers?: Record<string, string>
  auth: AuthKind
  /** For the whole of it, the body included. */
  timeoutMs: number
  /** Statuses outside 2xx that are an answer and no failure, also not to the circuit. */
  expect?: readonly number[]
  /**
   * May take minutes: never the probe of a half-open circuit, which would stay half-open as long.
   */
  slow?: boolean
}

/** A body that is being read: its connection lives until `end`, or the end of `chunks`. */
export interface Opened {
  headers: UpstreamResponse['headers']
  /**
   * Each read of upstream as it comes; rejects with a Problem, or with the reason of the caller's
   * signal. Nothing is read ahead of the consumer.
   */
  chunks(): AsyncGenerator<Uint8Array>
  end(): void
}

/** Public in every version, answered from memory: the cheapest sign of life. */
const probePath = '/api/v1/auth/status'

export type Exchange = ReturnType<typeof createExchange>

interface ExchangeOptions {
  connections: Connections
  breaker: Breaker
  login(): Login
  maxBodyBytes: number
  probeMs: number
  now(): number
}

export function createExchange({
  connections,
  breaker,
  login,
  maxBodyBytes,
  probeMs,
  now,
}: ExchangeOptions) {
  const limits = new Set<CallDeadline>()

  function limitOf({ signal, timeoutMs }: Call): CallDeadline {
    const limit = createCallDeadline(signal, timeoutMs, () =>
      timedOut(`not done in ${timeoutMs} ms`),
    )
    limits.add(limit)
    return limit
  }

  function endLimit(limit: CallDeadline): void {
    limit.end()
    limits.delete(limit)
  }

  async function readText({ body }: UpstreamResponse): Promise<string> {
    const parts: Buffer[] = []
    let size = 0
    for await (const part of body as AsyncIterable<Buffer>) {
      size += part.length
      if (size > maxBodyBytes) throw fault('the answer is too large')
      parts.push(part)
    }
    return Buffer.concat(parts).toString('utf8')
  }

  /** Whole answers. A 5xx is thrown here, inside the circuit, so that it counts. */
  function ask(call: Call, headers: Record<string, string>): Promise<TextResponse> {
    const { method = 'GET', path, json, signal } = call
    return breaker.run(async () => {
      const limit = limitOf(call)
      let response: UpstreamResponse | undefined
      try {
        response = await connections.open({
          method,
          path,
          json,
          headers: { ...call.headers, ...headers },
          signal: limit.signal,
        })
        return failing(call, {
          status: response.status,
          headers: response.headers,
          text: await readText(response),
        })
      } catch (error) {
        throw connections.failureOf(error, limit.signal)
      } finally {
        response?.end()
        endLimit(limit)
      }
    }, signal)
  }

  function failing(call: Call, answer: TextResponse): TextResponse {
    if (answer.status >= 500 && !call.expect?.includes(answer.status))
      throw problemOf(answer, call.subject, now())
    return answer
  }

  /**
   * Bodies that come bit by bit: good for the circuit at their head, and on their own from there.
   */
  function begin(
    call: Call,
    stallMs: number,
    headers: Record<string, string>,
  ): Promise<Opened | TextResponse> {
    const { method = 'GET', path, signal } = call
    return breaker.run(async () => {
      const limit = limitOf(call)
      const silence = setTimeout(() => limit.abort(timedOut(`no answer in ${stallMs} ms`)), stallMs)
      let response: UpstreamResponse | undefined
      try {
        response = await connections.open({
          method,
          path,
          headers: { ...call.headers, ...headers },
          signal: limit.signal,
        })
        if (response.status === 200) return opened(call, response, limit, stallMs)
        const answer = failing(call, {
          status: response.status,
          headers: response.headers,
          text: await readText(response),
        })
        response.end()
        endLimit(limit)
        return answer
      } catch (error) {
        response?.end()
        endLimit(limit)
        throw connections.failureOf(error, limit.signal)
      } finally {
        clearTimeout(silence)
      }
    }, signal)
  }

  function opened(
    call: Call,
    response: UpstreamResponse,
    limit: CallDeadline,
    stallMs: number,
  ): Opened {
    function end(): void {
      endLimit(limit)
      response.end()
    }
    return {
      headers: response.headers,
      end,
      async *chunks() {
        const reader: AsyncIterator<Buffer> = response.body[Symbol.asyncIterator]()
        try {
          for (;;) {
            // A stall is the time that upstream lets us wait; while the consumer is busy, no clock
            // runs but the deadline's.
            const silence = setTimeout(
              () => limit.abort(timedOut(`silent for ${stallMs} ms`)),
              stallMs,
            )
            const next = await reader.next().finally(() => clearTimeout(silence))
            if (next.done) return
            yield next.value
          }
        } catch (error) {
          const failure = connections.failureOf(error, limit.signal)
          if (!call.signal.aborted) breaker.count(failure)
          throw failure
        } finally {
          end()
        }
      },
    }
  }

  /**
   * With our credentials; once more, with new ones, when upstream says that it does not know us.
   */
  async function authorized<T extends object>(
    call: Call,
    act: (headers: Record<string, string>) => Promise<T | TextResponse>,
  ): Promise<T | TextResponse> {
    if (call.slow && breaker.state() === 'half-open') {
      await ask(
        {
          account: call.account,
          subject: 'other',
          path: probePath,
          auth: 'none',
          timeoutMs: probeMs,
          signal: call.signal,
        },
        {},
      )
    }
    const pass = await login().pass(call.account, call.auth, call.signal)
    const answer = await act(pass.headers)
    if (
      !isAnswer(answer) ||
      !isUnauthorized(answer, call.subject) ||
      !login().renew(call.account, pass)
    )
      return answer
    return act((await login().pass(call.account, call.auth, call.signal)).headers)
  }

  function accepted(call: Call, answer: TextResponse): TextResponse {
    if ((answer.status >= 200 && answer.status < 300) || call.expect?.includes(answer.status))
      return answer
    throw problemOf(answer, call.subject, now())
  }

  return {
    /** The whole answer, when its status is 2xx or expected; else a Problem. */
    async send(call: Call): Promise<TextResponse> {
      return accepted(
        call,
        (await authorized<TextResponse>(call, (headers) => ask(call, headers))) as TextResponse,
      )
    },

    /**
     * As `send`, without credentials and whatever the status: for what must not need a login
     * itself.
     */
    sendPlain: (call: Call): Promise<TextResponse> => ask(call, {}),

    /**
     * A 200 whose body is read as it comes. A stall is `stallMs` without a byte, also before the
     * head.
     */
    async open(call: Call, stallMs: number): Promise<Opened> {
      const answer = await authorized<Opened>({ ...call, slow: true }, (headers) =>
        begin(call, stallMs, headers),
      )
      if (!isAnswer(answer)) return answer
      throw problemOf(answer, call.subject, now())
    },

    /**
     * A sign of life that is not counted while the circuit is closed, so that probes never outweigh
     * the calls that matter.
     */
    async ping(signal: AbortSignal): Promise<void> {
      const call: Call = {
        account: sharedAccount,
        subject: 'other',
        path: probePath,
        auth: 'none',
        timeoutMs: probeMs,
        signal,
      }
      if (breaker.state() !== 'closed') return void (await ask(call, {}))
      const limit = limitOf(call)
      try {
        const response = await connections.open({
          method: 'GET',
          path: probePath,
          headers: {},
          signal: limit.signal,
        })
        response.end()
        if (response.status >= 500) throw problemOf({ ...response, text: '' }, 'other', now())
      } finally {
        endLimit(limit)
      }
    },

    /** Ends every call that is under way, and its timers. */
    close(reason: unknown): void {
      for (const limit of limits) limit.abort(reason)
      limits.clear()
    },
  }
}

function isAnswer(answer: object): answer is TextResponse {
  return 'text' in answer
}

/** The JSON of an answer; anything else is garbage, and a fault. */
export function parseJson({ text }: TextResponse): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // The parser's own error quotes the text.
    throw fault('the answer is no JSON')
  }
}
