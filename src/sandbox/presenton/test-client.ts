/**
 * A client for the tests of the stand-in. It makes the requests of a run as each shape expects.
 */

import type { Outline } from './deck.ts'
import type { Shape } from './shape.ts'

export type Message = {
  type: string
  chunk?: string
  detail?: string
  presentation?: { id: string; slides: unknown[]; outlines: { slides: Outline[] } }
}

export type TestClient = ReturnType<typeof createTestClient>

export function createTestClient(
  { url, shape }: { url: string; shape: Shape },
  headers: Record<string, string> = {},
) {
  const api = `${url}/api/v1/ppt`

  const call = (method: string, path: string, body?: unknown) =>
    fetch(path.startsWith('/') ? `${url}${path}` : `${api}/${path}`, {
      method,
      redirect: 'manual',
      headers: {
        ...headers,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })

  const send = async (method: string, path: string, body?: unknown) => {
    const response = await call(method, path, body)
    return { status: response.status, headers: response.headers, text: await response.text() }
  }

  const layout = async (): Promise<unknown> => {
    if (shape === 'A1') return JSON.parse((await send('GET', '/api/template?group=general')).text)
    return shape === 'T' ? JSON.parse((await send('GET', 'template/general')).text) : 'general'
  }

  return {
    call,
    send,
    create: async (fields: Record<string, unknown> = {}): Promise<string> => {
      const body = {
        content: 'One. Two. Three. Four. Five.',
        n_slides: 3,
        language: 'English',
        ...fields,
      }
      return JSON.parse((await send('POST', 'presentation/create', body)).text).id
    },
    outlines: (id: string) => send('GET', `outlines/stream/${id}`),
    prepare: async (
      id: string,
      outlines: readonly Outline[],
      extra: Record<string, unknown> = {},
    ) =>
      send('POST', 'presentation/prepare', {
        presentation_id: id,
        outlines,
        layout: await layout(),
        ...extra,
      }),
    slides: (id: string) => send('GET', `presentation/stream/${id}`),
    export: (id: string, export_as = 'pptx') => {
      if (shape === 'A1') return send('POST', 'presentation/export', { id, export_as })
      if (shape === 'B2') return send('POST', `presentation/${id}/export`, { export_as })
      return send('POST', 'presentation/edit', { presentation_id: id, slides: [], export_as })
    },
    file: async (path: string) => {
      const response = await fetch(url + encodeURI(path), { headers, redirect: 'manual' })
      return {
        status: response.status,
        headers: response.headers,
        bytes: Buffer.from(await response.arrayBuffer()),
      }
    },
  }
}

/** Creates a deck up to its prepared layouts: only the slides are missing. */
export async function prepareDeck(
  client: TestClient,
  fields: Record<string, unknown> = {},
): Promise<string> {
  const id = await client.create(fields)
  const { text } = await client.outlines(id)
  await client.prepare(id, messagesOf(text).at(-1)?.presentation?.outlines.slides ?? [])
  return id
}

/** Creates a deck with slides. */
export async function finishDeck(
  client: TestClient,
  fields: Record<string, unknown> = {},
): Promise<string> {
  const id = await prepareDeck(client, fields)
  await client.slides(id)
  return id
}

/** The messages of an upstream stream. */
export function messagesOf(stream: string): Message[] {
  return stream
    .split('\n\n')
    .filter((frame) => frame.startsWith('event: response\ndata: '))
    .map((frame) => JSON.parse(frame.slice('event: response\ndata: '.length)) as Message)
}
