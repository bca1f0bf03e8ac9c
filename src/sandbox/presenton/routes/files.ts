/**
 * /app_data and /static like upstream's nginx: types, ETag, ranges and HTML error pages. Exports
 * and images need a login in T and B.
 */

import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { extname, normalize } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { placeholderJpeg, placeholderPng, placeholderSvg } from '../content/images.ts'
import type { FileResponse } from '../faults/fault.ts'
import { untilAborted } from '../pace.ts'
import { nginxPage, type Reply } from '../reply.ts'
import type { Exchange, Route, StandInState } from '../state.ts'

export const fileRoutes: readonly Route[] = [
  { method: 'GET', path: '/app_data/exports/{rest…}', operation: 'file', handle: sendExport },
  { method: 'GET', path: '/app_data/images/{rest…}', operation: 'asset', handle: readImage },
  {
    method: 'GET',
    path: '/app_data/templates/{rest…}',
    operation: 'asset',
    isPublic: true,
    handle: readImage,
  },
  { method: 'GET', path: '/static/{rest…}', operation: 'asset', isPublic: true, handle: readImage },
]

const types: Readonly<Record<string, string>> = {
  '.pptx': 'application/vnd.openxmlformats-officedocument.presentationml.presentation',
  '.pdf': 'application/pdf',
  '.jpg': 'image/jpeg',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
}

/** The file that the path names. */
function sendExport(state: StandInState, exchange: Exchange): Promise<Reply | undefined> {
  return sendExportNamed(state, exchange, pathOf(exchange))
}

export async function sendExportNamed(
  state: StandInState,
  exchange: Exchange,
  relative: string | undefined,
): Promise<Reply | undefined> {
  if (relative === undefined) return nginxPage(404)
  if (relative === '' || relative.endsWith('/')) return nginxPage(403)
  if (isOfOther(relative, exchange, state)) return nginxPage(403)
  const file = `${state.appDataDir}/exports/${relative}`
  const found = await stat(file).catch(() => undefined)
  if (!found?.isFile()) return nginxPage(404)
  const effect = exchange.fault?.effect
  if (effect?.kind === 'file')
    return sendFaulty(exchange, effect.send(await readFile(file)), typeOf(file))
  return sendFile(state, exchange, { file, size: found.size, modified: found.mtime })
}

async function sendFile(
  state: StandInState,
  exchange: Exchange,
  { file, size, modified }: { file: string; size: number; modified: Date },
): Promise<undefined> {
  const { request, response, signal } = exchange
  const headers: Record<string, string | string[]> = {
    'content-type': typeOf(file),
    'last-modified': modified.toUTCString(),
    etag: `"${Math.floor(modified.getTime() / 1000).toString(16)}-${size.toString(16)}"`,
    expires: new Date(Date.now() + 31_536_000_000).toUTCString(),
    'cache-control': [
      'max-age=31536000',
      state.features().auth === 'none' ? 'public, immutable' : 'private, max-age=31536000',
    ],
  }
  const range = rangeOf(request.headers.range, size)
  if (range === 'unsatisfiable') {
    const page = nginxPage(416)
    response.writeHead(416, { ...page.headers, 'content-range': `bytes */${size}` }).end(page.body)
    return undefined
  }
  const { from, to } = range ?? { from: 0, to: size - 1 }
  const length = to - from + 1
  response.writeHead(range ? 206 : 200, {
    ...headers,
    'content-length': length,
    ...(range ? { 'content-range': `bytes ${from}-${to}/${size}` } : { 'accept-ranges': 'bytes' }),
  })
  if (request.method === 'HEAD' || length === 0) {
    response.end()
    return undefined
  }
  let sent = 0
  try {
    for await (const part of createReadStream(file, {
      start: from,
      end: to,
      highWaterMark: 16_384,
      signal,
    })) {
      sent += (part as Buffer).length
      if (!response.write(part)) await once(response, 'drain', { signal })
      if (sent < length) await exchange.passGate('file:part')
    }
  } catch (error) {
    if (!signal.aborted) throw error
  }
  // The file was overwritten and is shorter now: nginx closes the connection.
  if (sent < length) exchange.destroyConnection()
  else response.end()
  return undefined
}

async function sendFaulty(
  { request, response, signal, destroyConnection }: Exchange,
  sending: FileResponse,
  type: string,
): Promise<undefined> {
  const { status = 200, body, declaredBytes = body.length, afterBody = 'end' } = sending
  const length = declaredBytes === null ? {} : { 'content-length': declaredBytes }
  response.writeHead(status, { 'content-type': sending.type ?? type, ...length })
  response.flushHeaders()
  if (request.method !== 'HEAD') response.write(body)
  while (afterBody === 'repeat' && !signal.aborted) {
    if (!response.write(body)) await once(response, 'drain', { signal }).catch(() => undefined)
    await nextTurn()
  }
  if (afterBody === 'stall') await untilAborted(signal)
  if (afterBody === 'cut') {
    while (response.writableLength > 0 && !signal.aborted) await nextTurn()
    destroyConnection()
  }
  if (!response.destroyed) response.end()
  return undefined
}

async function readImage(state: StandInState, exchange: Exchange): Promise<Reply> {
  const relative = pathOf(exchange)
  if (exchange.url.pathname.startsWith('/app_data/images/') && isOfOther(relative, exchange, state))
    return nginxPage(403)
  const stored = state.images.get(`/app_data/images/${relative}`)
  if (stored) return { status: 200, headers: { 'content-type': stored.type }, body: stored.bytes }
  const body = { '.jpg': placeholderJpeg, '.png': placeholderPng, '.svg': placeholderSvg }[
    extname(relative ?? '')
  ]
  return body
    ? { status: 200, headers: { 'content-type': typeOf(relative ?? '') }, body }
    : nginxPage(404)
}

/** Files are for their own user; those in no folder of a user are for the admin. */
function isOfOther(
  relative: string | undefined,
  { user }: Exchange,
  { features }: StandInState,
): boolean {
  if (features().auth !== 'users') return false
  const [, owner] = /^users\/([^/]+)\//.exec(relative ?? '') ?? []
  return owner === undefined ? user.role !== 'admin' : owner !== user.id
}

/** The decoded path; undefined when it leads outside of its folder. */
function pathOf({ params }: Exchange): string | undefined {
  try {
    const decoded = decodeURIComponent(params.rest ?? '')
    const normal = normalize(`/${decoded}`).slice(1)
    return normal === decoded && !decoded.includes('\0') ? decoded : undefined
  } catch {
    return undefined
  }
}

function typeOf(file: string): string {
  return types[extname(file)] ?? 'application/octet-stream'
}

function rangeOf(
  header: string | undefined,
  size: number,
): { from: number; to: number } | 'unsatisfiable' | undefined {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? '')
  if (!match || (match[1] === '' && match[2] === '')) return undefined
  const [first = '', last = ''] = match.slice(1)
  const from = first === '' ? Math.max(0, size - Number(last)) : Number(first)
  const to = first === '' || last === '' ? size - 1 : Math.min(Number(last), size - 1)
  return from > to ? 'unsatisfiable' : { from, to }
}
