// An upstream that emits events at a given rate, each with its timestamp. It holds streams of
// slides and outlines open until a command to emit, and may serve a large file as every export. It
// forwards all other requests to the stand-in.
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type LargeFile, sendLargeFile } from './large-file.ts'
import { formatTimestamp, nowMs } from './timestamps.ts'

/**
 * `slide`: a chunk with a whole slide. `assets`: a message that the gateway passes on unchanged.
 * `token`: a few characters of an outline.
 */
export type GeneratedKind = 'slide' | 'assets' | 'token'

export interface Emission {
  /** The streams to write to: the gateway's `slides` or `outlines`, or those of a peer. */
  group: string
  kind: GeneratedKind
  /** For each stream. */
  events: number
  /** Rate of all streams together. Without it, as fast as they accept data. */
  perSecond?: number
  /** Padding of each event. */
  bytes: number
}

const slidesPath = /^\/api\/v1\/ppt\/presentation\/stream\/([^/?]+)/
const outlinesPath = /^\/api\/v1\/ppt\/outlines\/stream\//
const filesPath = /^\/app_data\/exports\//

export interface GeneratorSettings {
  /** Which of the gateway's streams are held open. Streams of peers always are. */
  holds?: 'slides' | 'outlines'
  largeFile?: LargeFile
}

export interface GeneratorState {
  /** Number of open streams by group. */
  open: Record<string, number>
  /** When the large file was requested, by `nowMs`. */
  fileRequestsMs: number[]
  /** When a deck was to be created, by `nowMs`. */
  createRequestsMs: number[]
}

interface Stream {
  response: ServerResponse
  /** Index of the next slide. */
  index: number
}

export async function openEventGenerator({ upstream }: { upstream: string }) {
  const groups = new Map<string, Set<Stream>>()
  const settings: GeneratorSettings = {}
  const fileRequestsMs: number[] = []
  const createRequestsMs: number[] = []

  function holdStream(group: string, start: string, response: ServerResponse) {
    const stream = { response, index: 0 }
    const streams = groups.get(group) ?? new Set()
    groups.set(group, streams.add(stream))
    response.once('close', () => streams.delete(stream))
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write(start)
  }

  async function emit({
    group,
    kind,
    events,
    perSecond,
    bytes,
  }: Emission): Promise<{ sentEvents: number }> {
    const streams = [...(groups.get(group) ?? [])]
    const padding = 'x'.repeat(bytes)
    if (perSecond === undefined) {
      await Promise.all(streams.map((stream) => emitAtFullSpeed(stream, kind, events, padding)))
      return { sentEvents: streams.length * events }
    }
    const startMs = nowMs()
    let sent = 0
    for (const total = streams.length * events; sent < total; ) {
      const due = Math.min(total, Math.floor(((nowMs() - startMs) * perSecond) / 1000))
      for (; sent < due; sent += 1) {
        const stream = streams[sent % streams.length]
        if (stream) stream.response.write(encodeEvent(stream, kind, padding))
      }
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
    return { sentEvents: sent }
  }

  async function control(path: string, incoming: IncomingMessage): Promise<object> {
    const body = JSON.parse((await readAll(incoming)) || '{}') as object
    if (path === '/bench/emit') return emit(body as Emission)
    if (path === '/bench/configure')
      return Object.assign(settings, { holds: undefined, largeFile: undefined }, body)
    return {
      open: Object.fromEntries([...groups].map(([group, streams]) => [group, streams.size])),
      fileRequestsMs,
      createRequestsMs,
    } satisfies GeneratorState
  }

  const server = createServer((incoming, response) => {
    const path = incoming.url ?? '/'
    if (path.startsWith('/bench/')) {
      void control(path, incoming).then((result) => response.end(JSON.stringify(result)))
      return
    }
    const deckId = slidesPath.exec(path)?.[1]
    const peer = /^(\w+)-peer-/.exec(deckId ?? '')?.[1]
    if (peer !== undefined || (deckId !== undefined && settings.holds === 'slides'))
      return holdStream(peer ?? 'slides', encodeChunk('{ "slides": [ '), response)
    if (settings.holds === 'outlines' && outlinesPath.test(path))
      return holdStream('outlines', ': open\n\n', response)
    if (settings.largeFile && filesPath.test(path)) {
      fileRequestsMs.push(nowMs())
      return sendLargeFile(response, settings.largeFile)
    }
    if (path.endsWith('/presentation/create')) createRequestsMs.push(nowMs())
    const forwarded = request(
      new URL(path, upstream),
      { method: incoming.method, headers: incoming.headers },
      (result) => {
        response.writeHead(result.statusCode ?? 502, result.headers)
        result.pipe(response)
      },
    )
    forwarded.on('error', () => response.destroy())
    incoming.pipe(forwarded)
  })
  server.keepAliveTimeout = 60_000
  await new Promise<void>((resolve) =>
    server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, resolve),
  )
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve))
      server.closeAllConnections()
      await closed
    },
  }
}

async function emitAtFullSpeed(
  stream: Stream,
  kind: GeneratedKind,
  events: number,
  padding: string,
): Promise<void> {
  const { response } = stream
  for (let sent = 0; sent < events && !response.destroyed; sent += 1) {
    const acceptsMore = response.write(encodeEvent(stream, kind, padding))
    if (!acceptsMore)
      await new Promise((resolve) => response.once('drain', resolve).once('close', resolve))
  }
}

function encodeEvent(stream: Stream, kind: GeneratedKind, padding: string): string {
  const timestamp = formatTimestamp(nowMs())
  if (kind === 'token') return encodeChunk(` ${timestamp}`)
  if (kind === 'assets')
    return `event: response\ndata: ${JSON.stringify({ type: 'slide_assets', slide_index: stream.index++, timestamp, padding })}\n\n`
  return encodeChunk(JSON.stringify({ index: stream.index++, timestamp, padding }))
}

const encodeChunk = (chunk: string) =>
  `event: response\ndata: ${JSON.stringify({ type: 'chunk', chunk })}\n\n`

async function readAll(incoming: IncomingMessage): Promise<string> {
  let text = ''
  for await (const part of incoming) text += String(part)
  return text
}
