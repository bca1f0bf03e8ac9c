/**
 * /app_data and /static as upstream's nginx serves them: types, ETag, ranges, its own HTML pages,
 * and (T, B) only to who is logged in.
 */

import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { extname, normalize } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { placeholderJpeg, placeholderPng, placeholderSvg } from '../content/pictures.ts'
import type { FileSending } from '../faults/fault.ts'
import { untilAborted } from '../pace.ts'
import { page, type Reply } from '../reply.ts'
import type { Exchange, Route, World } from '../world.ts'

export const fileRoutes: readonly Route[] = [
  { method: 'GET', path: '/app_data/exports/{rest…}', operation: 'file', act: exported },
  { method: 'GET', path: '/app_data/images/{rest…}', operation: 'asset', act: picture },
  {
    method: 'GET',
    path: '/app_data/templates/{rest…}',
    operation: 'asset',
    open: true,
    act: picture,
  },
  { method: 'GET', path: '/static/{rest…}', operation: 'asset', open: true, act: picture },
]

const types: Readonly<Record<string, string>> = {
  '.pptx': 'application/vnd.openxmlformats-officedocument.presentationml.presentation',
  '.pdf': 'application/pdf',
  '.jpg': 'image/jpeg',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
}

async function exported(world: World, exchange: Exchange): Promise<Reply | undefined> {
  const relative = pathOf(exchange)
  if (relative === undefined) return page(404)
  if (relative === '' || relative.endsWith('/')) return page(403)
  const file = `${world.appDataDir}/exports/${relative}`
  const found = await stat(file).catch(() => undefined)
  if (!found?.isFile()) return page(404)
  const effect = exchange.fault?.effect
  if (effect?.kind === 'file')
    return sendOther(exchange, effect.send(await readFile(file)), typeOf(file))
  return send(world, exchange, file, found.size, found.mtime)
}

async function send(
  world: World,
  exchange: Exchange,
  file: string,
  size: number,
  modified: Date,
): Promise<undefined> {
  const { request, response, signal } = exchange
  const common: Record<string, string | string[]> = {
    'content-type': typeOf(file),
    'last-modified': modified.toUTCString(),
    etag: `"${Math.floor(modified.getTime() / 1000).toString(16)}-${size.toString(16)}"`,
    expires: new Date(Date.now() + 31_536_000_000).toUTCString(),
    'cache-control': [
      'max-age=31536000',
      world.features().auth === 'none' ? 'public, immutable' : 'private, max-age=31536000',
    ],
  }
  const range = rangeOf(request.headers.range, size)
  if (range === 'unsatisfiable') {
    const body = page(416)
    response.writeHead(416, { ...body.headers, 'content-range': `bytes */${size}` }).end(body.body)
    return undefined
  }
  const { from, to } = range ?? { from: 0, to: size - 1 }
  const length = to - from + 1
  response.writeHead(range ? 206 : 200, {
    ...common,
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
      if (sent < length) await exchange.pass('file:part')
    }
  } catch (error) {
    if (!signal.aborted) throw error
  }
  // Written anew meanwhile and shorter now: nginx breaks the connection.
  if (sent < length) exchange.breakOff()
  else response.end()
  return undefined
}

async function sendOther(
  { request, response, signal, breakOff }: Exchange,
  sending: FileSending,
  type: string,
): Promise<undefined> {
  const { status = 200, body, announced = body.length, then = 'end' } = sending
  const length = announced === null ? {} : { 'content-length': announced }
  response.writeHead(status, { 'content-type': sending.type ?? type, ...length })
  response.flushHeaders()
  if (request.method !== 'HEAD') response.write(body)
  while (then === 'repeat' && !signal.aborted) {
    if (!response.write(body)) await once(response, 'drain', { signal }).catch(() => undefined)
    await turn()
  }
  if (then === 'stall') await untilAborted(signal)
  if (then === 'cut') {
    while (response.writableLength > 0 && !signal.aborted) await turn()
    breakOff()
  }
  if (!response.destroyed) response.end()
  return undefined
}

async function picture(_: World, exchange: Exchange): Promise<Reply> {
  const relative = pathOf(exchange)
  const body = { '.jpg': placeholderJpeg, '.png': placeholderPng, '.svg': placeholderSvg }[
    extname(relative ?? '')
  ]
  return body
    ? { status: 200, headers: { 'content-type': typeOf(relative ?? '') }, body }
    : page(404)
}

/** Decoded; undefined for what leads outside. */
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
