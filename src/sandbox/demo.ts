// Makes a presentation through the gateway's public API, as an agent's tool would: posts the brief,
// follows the events across disconnects, downloads the file. Imports nothing of the gateway.

import { createHash, randomUUID } from 'node:crypto'
import { createWriteStream, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as delay } from 'node:timers/promises'
import type { ProgressOutput } from './progress-output.ts'
import { openReader, type StreamEvent } from './reader.ts'

export interface Access {
  /** The gateway's origin, without a path. */
  url: string
  token: string
  signal: AbortSignal
}

export interface DownloadedDeck {
  id: string
  title: string
  slides: number
  path: string
  bytes: number
  sha256: string
  /** Presigned, of the object store. */
  link: string
  linkExpiresAt: string
}

/** The gateway or the store responded with an error, or the run failed. */
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
  return ((await readJson(response)) as { id: string }).id
}

/** Prints the progress of a run until its end. Rejects with GatewayError when the run fails. */
export async function followRun(
  { url, token, signal }: Access,
  id: string,
  progress: ProgressOutput,
): Promise<void> {
  const show = createEventPrinter(progress)
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
        if (event.data?.type === 'complete') return progress.finish(true)
        if (event.data?.type === 'error') {
          progress.finish(false)
          throw new GatewayError(describeProblem(event.data))
        }
      }
    } finally {
      reader.close()
    }
    // A restart or an expired token may end the stream at any time. The last event id continues it.
    progress.detail('the event stream ended, reconnecting')
    await delay(reader.retry ?? 2000, undefined, { signal })
  }
}

/**
 * Downloads the file into `folder` through the gateway's link. Throws unless its size and SHA-256
 * are those that the gateway states.
 */
export async function download(
  { url, token, signal }: Access,
  id: string,
  folder: string,
): Promise<DownloadedDeck> {
  const headers = { authorization: `Bearer ${token}` }
  const get = async (path: string) =>
    readJson(
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

  // As in a browser: the gateway redirects to the store, which must not see the token.
  const redirect = await fetch(`${url}/api/v1/presentations/${id}/download`, {
    headers,
    redirect: 'manual',
    signal,
  })
  const response = await fetch(redirect.headers.get('location') ?? '', { signal })
  if (!response.ok || !response.body)
    throw new GatewayError(`The object store responded to the link with ${response.status}.`)
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
    { signal },
  )
  const sha256 = hash.digest('hex')
  if (sha256 !== stated.sha256 || bytes !== stated.size_bytes)
    throw new GatewayError(`${path} differs from the file that the gateway stored.`)
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

function createEventPrinter(progress: ProgressOutput) {
  let total: number | undefined
  return ({ data }: StreamEvent) => {
    switch (data?.type) {
      case 'queued':
        return progress.detail(`queued, position ${data.position}`)
      case 'stage':
        return progress.startStage(data.stage, data.attempt)
      case 'outlines':
        total = data.outlines.length
        return progress.detail(`${total} outlines: ${data.title ?? ''}`)
      case 'awaiting_outlines':
        return progress.detail(`waiting until ${data.expires_at} for you to approve the outlines`)
      case 'chunk':
        // A chunk with an index holds one whole slide. The others separate slides.
        if (data.slide_index === undefined) return
        return progress.detail(`slide ${data.slide_index + 1}${total ? ` of ${total}` : ''}`)
      case 'status':
        return progress.detail(data.status)
    }
  }
}

async function readJson(response: Response): Promise<unknown> {
  const body = (await response.json().catch(() => undefined)) as unknown
  if (!response.ok)
    throw new GatewayError(
      body ? describeProblem(body) : `The gateway responded with ${response.status}.`,
    )
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
