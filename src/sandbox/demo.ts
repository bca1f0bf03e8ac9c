// Makes a presentation through the gateway's client, as an agent's tool would: uploads documents,
// posts the brief, follows the events across disconnects, downloads the file.

import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream, mkdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import {
  type Brief,
  createClient,
  GatewayError as FailedCall,
  type PresentationEvent,
} from '../client/client.ts'
import type { ProgressOutput } from './progress-output.ts'

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

const openClient = ({ url, token }: Access) => createClient({ baseUrl: url, token })

/** Resolves with the ids of the new sources. Rejects with GatewayError when one is refused. */
export async function uploadSources(access: Access, paths: string[]): Promise<string[]> {
  const files = paths.map((path) => ({ name: basename(path), stream: createReadStream(path) }))
  const { sources } = openClient(access)
  return (await explain(sources.upload(files, { signal: access.signal }))).map(({ id }) => id)
}

/** Resolves with the presentation's id once the gateway has accepted the brief. */
export async function postBrief(access: Access, brief: object): Promise<string> {
  const { signal } = access
  const { presentations } = openClient(access)
  return (await explain(presentations.create(brief as Brief, { signal }))).id
}

/** Prints the progress of a run until its end. Rejects with GatewayError when the run fails. */
export async function followRun(
  access: Access,
  id: string,
  progress: ProgressOutput,
): Promise<void> {
  const { signal } = access
  const show = createEventPrinter(progress)
  await explain(follow())

  async function follow() {
    for await (const event of openClient(access).presentations.events(id, { signal })) {
      show(event)
      if (event.type === 'complete') progress.finish(true)
      if (event.type !== 'error') continue
      progress.finish(false)
      throw new GatewayError(describeProblem(event))
    }
  }
}

/**
 * Downloads the file into `folder` through the gateway's link. Throws unless its size and SHA-256
 * are those that the gateway states.
 */
export async function download(
  access: Access,
  id: string,
  folder: string,
): Promise<DownloadedDeck> {
  const { signal } = access
  const { presentations } = openClient(access)
  const { title, slides_done } = await explain(presentations.get(id, { signal }))
  const stated = await explain(presentations.download(id, { signal }))

  // The store must not see the token.
  const response = await fetch(stated.url, { signal })
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
    title: title ?? '',
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
  return (event: PresentationEvent) => {
    switch (event.type) {
      case 'queued':
        return progress.detail(`queued, position ${event.position}`)
      case 'stage':
        return progress.startStage(event.stage ?? '', event.attempt)
      case 'outlines':
        total = event.outlines.length
        return progress.detail(`${total} outlines: ${event.title ?? ''}`)
      case 'awaiting_outlines':
        return progress.detail(`waiting until ${event.expires_at} for you to approve the outlines`)
      case 'chunk':
        // A chunk with an index holds one whole slide. The others separate slides.
        if (event.slide_index === undefined) return
        return progress.detail(`slide ${event.slide_index + 1}${total ? ` of ${total}` : ''}`)
      case 'status':
        return progress.detail(event.status ?? '')
    }
  }
}

/** A failed call as one of ours, whose message names the places that the gateway refused. */
async function explain<T>(call: Promise<T>): Promise<T> {
  try {
    return await call
  } catch (error) {
    if (!(error instanceof FailedCall)) throw error
    throw new GatewayError(error.problem ? describeProblem(error.problem) : error.message)
  }
}

function describeProblem(problem: {
  code: string
  detail: string
  errors?: { path: string; message: string }[]
}): string {
  const { code, detail, errors = [] } = problem
  return [`${code}: ${detail}`, ...errors.map(({ path, message }) => `  ${path} ${message}`)].join(
    '\n',
  )
}
