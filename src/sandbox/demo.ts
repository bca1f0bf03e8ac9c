// Makes one deck through the gateway's public API, as an agent's tool would: post the brief, follow
// the events across disconnects, download the file. Knows nothing of the gateway's inside.

import { createHash, randomUUID } from 'node:crypto'
import { createWriteStream, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { progressOf } from '../domain/stage.ts'
import { openReader, type StreamEvent } from './reader.ts'
import type { RunView } from './terminal.ts'

export interface Access {
  /** The gateway's, without a path. */
  url: string
  token: string
  signal: AbortSignal
}

export interface Deck {
  id: string
  title: string
  slides: number
  path: string
  bytes: number
  sha256: string
  link: string
  linkExpiresAt: string
}

/** The answer was no success; the message says what the gateway said. */
export class GatewayError extends Error {}

/** Resolves with the presentation's id once the gateway has accepted the brief. */
export async function postBrief({ url, token, signal }: Access, brief: object): Promise<string> {
  const response = await fetch(`${url}/api/v1/presentations`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      'idempotency-key': randomUUID(),
    },
    body: JSON.stringify(brief),
    signal,
  })
  return ((await readAnswer(response)) as { id: string }).id
}

/** Shows the run until its end; rejects when it ends badly. */
export async function followRun(
  { url, token, signal }: Access,
  id: string,
  view: RunView,
): Promise<void> {
  const show = createShow(view)
  let lastEventId: number | undefined
  for (;;) {
    const reader = await openReader(`${url}/api/v1/presentations/${id}/events`, {
      token,
      lastEventId,
      signal,
    })
    try {
      if (reader.status === 204) return
      if (reader.status !== 200)
        throw new GatewayError(describeProblem(JSON.parse(await reader.body)))
      for await (const event of reader) {
        lastEventId = event.id ?? lastEventId
        show(event)
        if (event.data?.type === 'complete') return view.finish(true)
        if (event.data?.type === 'error') {
          view.finish(false)
          throw new GatewayError(describeProblem(event.data))
        }
      }
    } finally {
      reader.close()
    }
    // A stream may end at any time (a restart, a token that expires): the last id says where to go
    // on.
    view.message('the stream ended, reading on')
    await delay(reader.retry ?? 2000, undefined, { signal })
  }
}

/**
 * Fetches the file by the gateway's link into `folder` and compares it with what the gateway says
 * of it.
 */
export async function download(
  { url, token, signal }: Access,
  id: string,
  folder: string,
): Promise<Deck> {
  const headers = { authorization: `Bearer ${token}` }
  const get = async (path: string) =>
    readAnswer(
      await fetch(`${url}/api/v1/presentations/${id}${path}`, {
        headers: { ...headers, accept: 'application/json' },
        signal,
      }),
    )
  const { title, slides_done } = (await get('')) as { title: string; slides_done: number }
  const stated = (await get('/download')) as {
    url: string
    expires_at: string
    file_name: string
    sha256: string
    size_bytes: number
  }

  // As a browser does it: the link of the page, which leads to the store.
  const redirect = await fetch(`${url}/api/v1/presentations/${id}/download`, {
    headers,
    redirect: 'manual',
    signal,
  })
  const response = await fetch(redirect.headers.get('location') ?? '', { signal })
  if (!response.ok || !response.body)
    throw new GatewayError(`the store answers ${response.status} to the download link`)
  mkdirSync(folder, { recursive: true })
  const path = join(folder, `${id.slice(0, 8)}-${stated.file_name.replace(/[\s/\\]+/g, '-')}`)
  const hash = createHash('sha256')
  let bytes = 0
  const count = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk)
      bytes += chunk.length
      done(null, chunk)
    },
  })
  await pipeline(
    Readable.fromWeb(response.body as import('node:stream/web').ReadableStream),
    count,
    createWriteStream(path),
    {
      signal,
    },
  )
  const sha256 = hash.digest('hex')
  if (sha256 !== stated.sha256 || bytes !== stated.size_bytes)
    throw new GatewayError(`${path} is not the file that the gateway stored`)
  return {
    id,
    title,
    slides: slides_done,
    path,
    bytes,
    sha256,
    link: stated.url,
    linkExpiresAt: stated.expires_at,
  }
}

function createShow(view: RunView) {
  let total = 1
  let done = 0
  return ({ data }: StreamEvent) => {
    switch (data?.type) {
      case 'queued':
        return view.message(`queued, position ${data.position}`)
      case 'stage':
        if (data.stage === 'slides') done = 0
        return view.stage(data.stage, data)
      case 'outlines':
        total = data.outlines.length
        return view.note(`${total} outlines: ${data.title ?? ''}`)
      case 'awaiting_outlines':
        return view.message(
          `waits until ${data.expires_at} for its outlines to be approved (PUT …/outlines)`,
        )
      case 'chunk':
        if (data.slide_index === undefined) return
        done = data.slide_index + 1
        return view.note(`${done} of ${total} slides`, progressOf('slides', { done, total }))
      case 'status':
        return view.message(data.status)
    }
  }
}

async function readAnswer(response: Response): Promise<unknown> {
  const body = (await response.json().catch(() => undefined)) as unknown
  if (!response.ok)
    throw new GatewayError(body ? describeProblem(body) : `the gateway answers ${response.status}`)
  return body
}

function describeProblem(problem: unknown): string {
  const {
    code,
    detail,
    errors = [],
  } = problem as { code?: string; detail?: string; errors?: { path: string; message: string }[] }
  return [`${code}: ${detail}`, ...errors.map(({ path, message }) => `  ${path} ${message}`)].join(
    '\n',
  )
}
