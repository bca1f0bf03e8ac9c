// A user of the gateway: calls the API with their own token and subscribes to event streams.

import { expect } from 'vitest'
import { openReader, type Reader } from '../sandbox/reader.ts'
import { expectDescribed, readDescription } from './described-responses.ts'

export interface RequestOptions {
  method?: string
  /** A string or bytes are sent unchanged, everything else as JSON. */
  body?: unknown
  headers?: Record<string, string>
  /** Of another replica. Default: the first one. */
  baseUrl?: string
}

export interface ApiResponse {
  status: number
  headers: Headers
  // biome-ignore lint/suspicious/noExplicitAny: journeys inspect every kind of response
  body: any
}

export type Presentation = Record<string, unknown> & {
  id: string
  status: string
  links: Record<string, string | null>
}

export interface SubscribeOptions {
  lastEventId?: number | string
  headers?: Record<string, string>
  baseUrl?: string
  /** Appended to the path; starts with a question mark. */
  query?: string
}

export type User = ReturnType<typeof createUser>

/** A short conversation summary; the stand-in generates its deck quickly. */
export const brief = {
  content:
    'We looked back at the first quarter of the support team. Answers got faster, from nine hours to four. ' +
    'Half of all questions were about invoices. We agreed to write better invoices before we hire more people. ' +
    'Anna draws a first version by Friday, and Ben asks ten customers what they think of it.',
  n_slides: 3,
}

export function createUser({
  sub,
  token,
  url,
  onReader,
}: {
  sub: string
  token: string
  url: () => string
  onReader: (reader: Reader) => void
}) {
  /** `path` is relative to /api/v1, or an absolute URL. */
  async function api(
    path: string,
    { method = 'GET', body, headers = {}, baseUrl = url() }: RequestOptions = {},
  ): Promise<ApiResponse> {
    const isRaw = body === undefined || typeof body === 'string' || body instanceof Uint8Array
    const response = await fetch(path.startsWith('http') ? path : `${baseUrl}/api/v1${path}`, {
      method,
      redirect: 'manual',
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: isRaw ? (body as string) : JSON.stringify(body) }),
    })
    const text = await response.text()
    // A proxy in front adds headers of its own, and names itself.
    if (!path.startsWith('http') && !response.headers.has('server')) {
      const request = { method, path: `/api/v1${path.replace(/[?#].*$/s, '')}` }
      const { status, headers: received } = response
      const document = await readDescription(baseUrl)
      expectDescribed(document, request, { status, headers: received, text })
    }
    const isJson = /\bjson\b/.test(response.headers.get('content-type') ?? '')
    return {
      status: response.status,
      headers: response.headers,
      body: isJson ? JSON.parse(text) : text,
    }
  }

  const post = (body: object = brief, headers: Record<string, string> = {}, baseUrl = url()) =>
    api('/presentations', { method: 'POST', body, headers, baseUrl })

  /** Posts a brief and expects 202. */
  async function submit(
    input: object = brief,
    headers?: Record<string, string>,
  ): Promise<Presentation> {
    const { status, body } = await post(input, headers)
    expect({ status, body }).toMatchObject({ status: 202 })
    return body
  }

  async function read(id: string, baseUrl = url(), query = ''): Promise<Presentation> {
    const { status, body } = await api(`/presentations/${id}${query}`, { baseUrl })
    expect({ status, body }).toMatchObject({ status: 200 })
    return body
  }

  /**
   * Waits up to two minutes until the presentation is neither queued nor running: on a busy machine
   * a dozen runs at once take over one.
   */
  async function waitUntilSettled(id: string, baseUrl = url()): Promise<Presentation> {
    const wait = () => read(id, baseUrl, '?wait=60')
    const presentation = await wait()
    return ['queued', 'running'].includes(presentation.status) ? wait() : presentation
  }

  return {
    sub,
    token,
    api,
    post,
    submit,
    read,
    waitUntilSettled,
    /** Submits a brief and waits until its presentation is completed. */
    async generate(input: object = brief): Promise<Presentation> {
      const presentation = await waitUntilSettled((await submit(input)).id)
      expect(presentation).toMatchObject({ status: 'completed', error: null })
      return presentation
    },
    /** Opens the event stream. The response may have any status. */
    async subscribe(
      id: string,
      { lastEventId, headers = {}, baseUrl = url(), query = '' }: SubscribeOptions = {},
    ): Promise<Reader> {
      const reader = await openReader(`${baseUrl}/api/v1/presentations/${id}/events${query}`, {
        token,
        lastEventId,
        headers,
      })
      onReader(reader)
      return reader
    },
  }
}
