// An upstream whose streams beat on command, with each beat's moment in it. Streams of slides and
// of outlines wait open until they are told to beat; exported files may be replaced by a large one;
// everything else is the stand-in's.
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { markOf, nowMs } from './beats.ts'
import { type LargeFile, sendLargeFile } from './large-file.ts'

/**
 * `slide`: a whole slide a beat. `assets`: a message that is passed on as it is. `token`: a piece
 * of outline text.
 */
export type BeatKind = 'slide' | 'assets' | 'token'

export interface Tempo {
  /**
   * Which streams: the gateway's own (`slides`, `outlines`), or those whose deck is named after a
   * peer.
   */
  group: string
  kind: BeatKind
  /** For each stream. */
  beats: number
  /** Of all streams together; without, as fast as they are taken. */
  perSecond?: number
  bytes: number
}

const slides = /^\/api\/v1\/ppt\/presentation\/stream\/([^/?]+)/
const outlines = /^\/api\/v1\/ppt\/outlines\/stream\//
const files = /^\/app_data\/exports\//

export interface Settings {
  /** Which of the gateway's own streams are held open for beats; a peer's always are. */
  holds?: 'slides' | 'outlines'
  largeFile?: LargeFile
}

interface Stream {
  answer: ServerResponse
  index: number
}

export async function openMetronome({ upstream }: { upstream: string }) {
  const groups = new Map<string, Set<Stream>>()
  const settings: Settings = {}
  const fileRequestsMs: number[] = []
  const createRequestsMs: number[] = []

  function hold(group: string, opening: string, answer: ServerResponse) {
    const stream = { answer, index: 0 }
    const streams = groups.get(group) ?? new Set()
    groups.set(group, streams.add(stream))
    answer.once('close', () => streams.delete(stream))
    answer.writeHead(200, { 'content-type': 'text/event-stream' })
    answer.write(opening)
  }

  async function beat({
    group,
    kind,
    beats,
    perSecond,
    bytes,
  }: Tempo): Promise<{ sentBeats: number }> {
    const streams = [...(groups.get(group) ?? [])]
    const padding = 'x'.repeat(bytes)
    if (perSecond === undefined) {
      await Promise.all(streams.map((stream) => flood(stream, kind, beats, padding)))
      return { sentBeats: streams.length * beats }
    }
    const startMs = nowMs()
    let sent = 0
    for (const total = streams.length * beats; sent < total; ) {
      const due = Math.min(total, Math.floor(((nowMs() - startMs) * perSecond) / 1000))
      for (; sent < due; sent += 1) {
        const stream = streams[sent % streams.length]
        if (stream) stream.answer.write(textOf(stream, kind, padding))
      }
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
    return { sentBeats: sent }
  }

  async function control(path: string, incoming: IncomingMessage): Promise<object> {
    const body = JSON.parse((await readAll(incoming)) || '{}') as object
    if (path === '/bench/beat') return beat(body as Tempo)
    if (path === '/bench/set')
      return Object.assign(settings, { holds: undefined, largeFile: undefined }, body)
    if (path === '/bench/drop')
      for (const { answer } of groups.get((body as Tempo).group) ?? []) answer.destroy()
    return {
      open: Object.fromEntries([...groups].map(([group, streams]) => [group, streams.size])),
      fileRequestsMs,
      createRequestsMs,
    }
  }

  const server = createServer((incoming, answer) => {
    const path = incoming.url ?? '/'
    if (path.startsWith('/bench/')) {
      void control(path, incoming).then((result) => answer.end(JSON.stringify(result)))
      return
    }
    const deck = slides.exec(path)?.[1]
    const peer = /^(\w+)-peer-/.exec(deck ?? '')?.[1]
    if (peer !== undefined || (deck !== undefined && settings.holds === 'slides'))
      return hold(peer ?? 'slides', textOfChunk('{ "slides": [ '), answer)
    if (settings.holds === 'outlines' && outlines.test(path))
      return hold('outlines', ': open\n\n', answer)
    if (settings.largeFile && files.test(path)) {
      fileRequestsMs.push(nowMs())
      return sendLargeFile(answer, settings.largeFile)
    }
    if (path.endsWith('/presentation/create')) createRequestsMs.push(nowMs())
    const passed = request(
      new URL(path, upstream),
      { method: incoming.method, headers: incoming.headers },
      (response) => {
        answer.writeHead(response.statusCode ?? 502, response.headers)
        response.pipe(answer)
      },
    )
    passed.on('error', () => answer.destroy())
    incoming.pipe(passed)
  })
  server.keepAliveTimeout = 60_000
  await new Promise<void>((resolve) =>
    server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, resolve),
  )
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

/** As fast as the reader takes them. */
async function flood(
  stream: Stream,
  kind: BeatKind,
  beats: number,
  padding: string,
): Promise<void> {
  const { answer } = stream
  for (let sent = 0; sent < beats && !answer.destroyed; sent += 1) {
    const hasRoom = answer.write(textOf(stream, kind, padding))
    if (!hasRoom)
      await new Promise((resolve) => answer.once('drain', resolve).once('close', resolve))
  }
}

function textOf(stream: Stream, kind: BeatKind, padding: string): string {
  const mark = markOf(nowMs())
  if (kind === 'token') return textOfChunk(` ${mark}`)
  if (kind === 'assets')
    return `event: response\ndata: ${JSON.stringify({ type: 'slide_assets', slide_index: stream.index++, mark, padding })}\n\n`
  return textOfChunk(JSON.stringify({ index: stream.index++, mark, padding }))
}

const textOfChunk = (chunk: string) =>
  `event: response\ndata: ${JSON.stringify({ type: 'chunk', chunk })}\n\n`

async function readAll(incoming: IncomingMessage): Promise<string> {
  let text = ''
  for await (const part of incoming) text += String(part)
  return text
}
