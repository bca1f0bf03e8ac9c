// Browsers tell the progress of an upload by XMLHttpRequest only. This one sends over a real
// connection, and has what the client uses of a browser's.

import { request } from 'node:http'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { openReceiver, type Receiver } from '../sandbox/receiver.ts'
import { fetchWithProgress } from './upload-progress.ts'

class BrowserRequest {
  upload = { onprogress: (_event: { loaded: number; total: number }) => {} }
  withCredentials = false
  responseType = ''
  response = new ArrayBuffer(0)
  status = 0
  onload = () => {}
  onerror = () => {}
  onabort = () => {}
  #lines: string[] = []
  #headers: Record<string, string> = {}
  #target = { method: '', url: '' }
  #sent: ReturnType<typeof request> | undefined

  open(method: string, url: string) {
    this.#target = { method, url }
  }
  setRequestHeader(name: string, value: string) {
    this.#headers[name] = value
  }
  getAllResponseHeaders() {
    return this.#lines.join('\r\n')
  }
  send(body: string | undefined) {
    const { method, url } = this.#target
    const headers = { ...this.#headers, 'x-credentials': String(this.withCredentials) }
    this.#sent = request(url, { method, headers }, async (response) => {
      const chunks: Buffer[] = []
      for await (const chunk of response) chunks.push(chunk as Buffer)
      this.response = new Uint8Array(Buffer.concat(chunks)).buffer
      this.status = response.statusCode ?? 0
      this.#lines = Object.entries(response.headers).map(([name, value]) => `${name}: ${value}`)
      this.onload()
    })
    this.#sent.on('error', () => this.onerror())
    const total = body?.length ?? 0
    this.upload.onprogress({ loaded: total / 2, total })
    this.#sent.end(body)
    this.upload.onprogress({ loaded: total, total })
  }
  abort() {
    this.#sent?.destroy()
    this.onabort()
  }
}

let service: Receiver
beforeEach(async () => {
  service = await openReceiver()
  vi.stubGlobal('XMLHttpRequest', BrowserRequest)
})
afterEach(async () => {
  vi.unstubAllGlobals()
  await service.close()
})

function openFetch(onProgress: (sent: number) => void = () => {}) {
  const send = fetchWithProgress(onProgress)
  if (!send) throw new Error('the platform can tell')
  return send
}

test('is the usual fetch where no progress is wanted, or the platform cannot tell', () => {
  expect(fetchWithProgress(undefined)).toBeUndefined()
  vi.unstubAllGlobals()
  expect(fetchWithProgress(() => {})).toBeUndefined()
})

test('sends method, headers, cookies and body, and tells how much was sent', async () => {
  const progress: number[] = []
  service.respondWith((response) => {
    response.writeHead(201, { 'content-type': 'application/json', 'x-link': 'a:b' }).end('{"id":1}')
  })
  const response = await openFetch((sent) => progress.push(sent))(`${service.url}/sources`, {
    ...{ method: 'POST', body: 'four', credentials: 'include', headers: { 'x-name': 'a' } },
  })
  expect(progress).toEqual([0.5, 1])
  expect(service.received).toMatchObject([
    { path: '/sources', body: 'four', headers: { 'x-name': 'a', 'x-credentials': 'true' } },
  ])
  expect([response.status, response.headers.get('x-link')]).toEqual([201, 'a:b'])
  expect(await response.json()).toEqual({ id: 1 })
})

test('has a response without a body, and no progress of nothing', async () => {
  const progress: number[] = []
  const response = await openFetch((sent) => progress.push(sent))(`${service.url}/nothing`)
  expect(progress).toEqual([0, 0])
  expect([response.status, await response.text()]).toEqual([204, ''])
  expect(service.received).toMatchObject([{ headers: { 'x-credentials': 'false' } }])
})

test('rejects as fetch does when the connection breaks', async () => {
  service.respondWith((response) => response.destroy())
  await expect(openFetch()(service.url)).rejects.toThrow(new TypeError('Failed to fetch'))
})

test('rejects with the reason of its signal, before it is sent and while it is under way', async () => {
  const reason = new Error('enough')
  await expect(openFetch()(service.url, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
  expect(service.received).toEqual([])
  const controller = new AbortController()
  service.respondWith(() => controller.abort(reason))
  await expect(openFetch()(service.url, { signal: controller.signal })).rejects.toBe(reason)
})
