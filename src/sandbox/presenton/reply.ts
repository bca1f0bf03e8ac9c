/**
 * The answers that are not streams, as each part of upstream writes them: FastAPI's compact JSON
 * and `detail`, its plain-text 500, nginx's HTML pages, Next.js's `{"error":…}` in chunks.
 */

import { STATUS_CODES } from 'node:http'
import { compactJson } from './python-json.ts'

export type Reply = {
  status: number
  headers: Record<string, string | string[]>
  /** undefined: no body and no Content-Length, as a 204 has it. */
  body: Buffer | undefined
  /** Next.js answers without a length. */
  chunked?: boolean
}

export function json(value: unknown, status = 200, headers: Record<string, string> = {}): Reply {
  return {
    status,
    headers: { 'content-type': 'application/json', ...headers },
    body: Buffer.from(compactJson(value)),
  }
}

/** A body that is JSON text already. */
export function rawJson(text: string, status = 200): Reply {
  return { status, headers: { 'content-type': 'application/json' }, body: Buffer.from(text) }
}

export function detail(status: number, text: string, headers: Record<string, string> = {}): Reply {
  return json({ detail: text }, status, headers)
}

export function noContent(): Reply {
  return { status: 204, headers: { 'content-type': 'application/json' }, body: undefined }
}

/** What FastAPI says when its own code raised. */
export function crashed(): Reply {
  return {
    status: 500,
    headers: { 'content-type': 'text/plain; charset=utf-8' },
    body: Buffer.from('Internal Server Error'),
  }
}

const pageTitles: Record<number, string> = {
  401: 'Authorization Required',
  504: 'Gateway Time-out',
  503: 'Service Temporarily Unavailable',
}

/** nginx's own page: bad gateway, no such file, login wanted. */
export function page(status: number, headers: Record<string, string> = {}): Reply {
  const title = `${status} ${pageTitles[status] ?? STATUS_CODES[status] ?? ''}`
  const lines = [
    '<html>',
    `<head><title>${title}</title></head>`,
    '<body>',
    `<center><h1>${title}</h1></center>`,
  ]
  const html = [...lines, '<hr><center>nginx/1.22.1</center>', '</body>', '</html>', ''].join(
    '\r\n',
  )
  return { status, headers: { 'content-type': 'text/html', ...headers }, body: Buffer.from(html) }
}

export function next(value: unknown, status = 200): Reply {
  const headers = {
    'content-type': 'application/json',
    vary: 'RSC, Next-Router-State-Tree, Next-Router-Prefetch',
  }
  return { status, headers, body: Buffer.from(compactJson(value)), chunked: true }
}

export type Flaw = {
  type: string
  loc: (string | number)[]
  msg: string
  input: unknown
  ctx?: Record<string, unknown>
}

/** FastAPI's validation error: it echoes the input. */
export function unprocessable(flaws: readonly Flaw[]): Reply {
  return json({ detail: flaws }, 422)
}
