/**
 * Responses that are not streams, as data. Each part of upstream has its own form: FastAPI writes
 * compact JSON with `detail`, or a plain-text 500; nginx writes HTML pages; Next.js writes
 * `{"error":…}` in chunks.
 */

import { STATUS_CODES } from 'node:http'
import { compactJson } from './python-json.ts'

export type Reply = {
  status: number
  headers: Record<string, string | string[]>
  /** Undefined: no body and no Content-Length, as in a 204. */
  body: Buffer | undefined
  /** Without Content-Length, as Next.js responds. */
  chunked?: boolean
}

export function json(value: unknown, status = 200, headers: Record<string, string> = {}): Reply {
  return {
    status,
    headers: { 'content-type': 'application/json', ...headers },
    body: Buffer.from(compactJson(value)),
  }
}

/** For a body that is JSON text already. */
export function rawJson(text: string, status = 200): Reply {
  return { status, headers: { 'content-type': 'application/json' }, body: Buffer.from(text) }
}

export function errorDetail(
  status: number,
  text: string,
  headers: Record<string, string> = {},
): Reply {
  return json({ detail: text }, status, headers)
}

export function noContent(): Reply {
  return { status: 204, headers: { 'content-type': 'application/json' }, body: undefined }
}

/** FastAPI's response to an unhandled exception. */
export function internalServerError(): Reply {
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

/** One of nginx's own pages, for example for a bad gateway or a missing file. */
export function nginxPage(status: number, headers: Record<string, string> = {}): Reply {
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

export function nextJsJson(value: unknown, status = 200): Reply {
  const headers = {
    'content-type': 'application/json',
    vary: 'RSC, Next-Router-State-Tree, Next-Router-Prefetch',
  }
  return { status, headers, body: Buffer.from(compactJson(value)), chunked: true }
}

export type FieldError = {
  type: string
  loc: (string | number)[]
  msg: string
  input: unknown
  ctx?: Record<string, unknown>
}

/** FastAPI's validation error, which echoes the input. */
export function validationFailed(errors: readonly FieldError[]): Reply {
  return json({ detail: errors }, 422)
}
