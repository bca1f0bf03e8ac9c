/**
 * A caller of the stand-in, for its own tests: it goes through a whole run in the way that each
 * shape wants.
 */

import type { Outline } from './deck.ts'
import type { Shape } from './shape.ts'

export type Message = {
  type: string
  chunk?: string
  detail?: string
  presentation?: { id: string; slides: unknown[]; outlines: { slides: Outline[] } }
}

export type Caller = ReturnType<typeof createCaller>

export function createCaller(
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
    create: async (wish: Record<string, unknown> = {}): Promise<string> => {
      const body = {
        content: 'One. Two. Three. Four. Five.',
        n_slides: 3,
        language: 'English',
        ...wish,
      }
      return JSON.parse((await send('POST', 'presentation/create', body)).text).id
    },
    outlines: (id: string) => send('GET', `outlines/stream/${id}`),
    prepare: async (id: string, outlines: readonly Outline[], more: Record<string, unknown> = {}) =>
      send('POST', 'presentation/prepare', {
        presentation_id: id,
        outlines,
        layout: await layout(),
        ...more,
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

/** A deck that is prepared, so that only its slides are still to be made. */
export async function prepareDeck(
  caller: Caller,
  wish: Record<string, unknown> = {},
): Promise<string> {
  const id = await caller.create(wish)
  const { text } = await caller.outlines(id)
  await caller.prepare(id, messagesOf(text).at(-1)?.presentation?.outlines.slides ?? [])
  return id
}

/** A deck with its slides. */
export async function finishDeck(
  caller: Caller,
  wish: Record<string, unknown> = {},
): Promise<string> {
  const id = await prepareDeck(caller, wish)
  await caller.slides(id)
  return id
}

/** The messages of a stream that is framed as upstream frames it. */
export function messagesOf(stream: string): Message[] {
  return stream
    .split('\n\n')
    .filter((frame) => frame.startsWith('event: response\ndata: '))
    .map((frame) => JSON.parse(frame.slice('event: response\ndata: '.length)) as Message)
}
