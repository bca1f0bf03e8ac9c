// A caller of the gateway: asks its API with a token of its own, and follows its event streams.

import { expect } from 'vitest'
import { openReader, type Reader } from '../sandbox/reader.ts'

export interface Ask {
  method?: string
  /** Sent as JSON; a string or bytes as they are. */
  body?: unknown
  headers?: Record<string, string>
  /** Another replica than the first. */
  at?: string
}

export interface Answer {
  status: number
  headers: Headers
  // biome-ignore lint/suspicious/noExplicitAny: journeys look into every kind of answer
  body: any
}

export type Presentation = Record<string, unknown> & {
  id: string
  status: string
  links: Record<string, string | null>
}

export interface Follow {
  lastEventId?: number | string
  headers?: Record<string, string>
  at?: string
  /** After the path, with its question mark. */
  query?: string
}

export type User = ReturnType<typeof createUser>

/** One that is answered quickly, in the shape of what people say to an agent. */
export const brief = {
  content:
    'We looked back at the first quarter of the support team. Answers got faster, from nine hours to four. ' +
    'Half of all questions were about invoices. We agreed to write better invoices before we hire anybody. ' +
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
  /** Paths begin behind /api/v1, unless they are whole. */
  async function api(
    path: string,
    { method = 'GET', body, headers = {}, at = url() }: Ask = {},
  ): Promise<Answer> {
    const isRaw = body === undefined || typeof body === 'string' || body instanceof Uint8Array
    const sent = await fetch(path.startsWith('http') ? path : `${at}/api/v1${path}`, {
      method,
      redirect: 'manual',
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: isRaw ? (body as string) : JSON.stringify(body) }),
    })
    const text = await sent.text()
    const isJson = /\bjson\b/.test(sent.headers.get('content-type') ?? '')
    return { status: sent.status, headers: sent.headers, body: isJson ? JSON.parse(text) : text }
  }

  const post = (given: object = brief, headers: Record<string, string> = {}, at = url()) =>
    api('/presentations', { method: 'POST', body: given, headers, at })

  /** Posts a brief that must be accepted. */
  async function accept(
    given: object = brief,
    headers?: Record<string, string>,
  ): Promise<Presentation> {
    const { status, body } = await post(given, headers)
    expect({ status, body }).toMatchObject({ status: 202 })
    return body
  }

  async function read(id: string, at = url()): Promise<Presentation> {
    const { status, body } = await api(`/presentations/${id}`, { at })
    expect({ status, body }).toMatchObject({ status: 200 })
    return body
  }

  /** As it is once it is neither queued nor running. */
  async function settled(id: string, at = url()): Promise<Presentation> {
    const { status, body } = await api(`/presentations/${id}?wait=30`, { at })
    expect({ status, body }).toMatchObject({ status: 200 })
    return body
  }

  return {
    ...{ sub, token, api, post, accept, read, settled },
    /** Accepts a brief and waits for its deck. */
    async make(given: object = brief): Promise<Presentation> {
      const made = await settled((await accept(given)).id)
      expect(made).toMatchObject({ status: 'completed', error: null })
      return made
    },
    /** Opens the event stream, whatever is answered. */
    async follow(
      id: string,
      { lastEventId, headers = {}, at = url(), query = '' }: Follow = {},
    ): Promise<Reader> {
      const reader = await openReader(`${at}/api/v1/presentations/${id}/events${query}`, {
        token,
        lastEventId,
        headers,
      })
      onReader(reader)
      return reader
    },
  }
}
