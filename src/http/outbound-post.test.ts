// How much of a response is read: 4 KiB, and no longer than its deadline.

import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { createOutboundPost } from './outbound-post.ts'

const closers: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})

const direct = { http: undefined, https: undefined, none: [] }

/** A post to a server that has sent the head of its response, and so many bytes of the body. */
async function postTo(bytes: number, { maxReadMs = 60_000 } = {}) {
  let respond: (response: ServerResponse) => void = () => undefined
  const responding = new Promise<ServerResponse>((resolve) => {
    respond = resolve
  })
  const server = createServer((request, response) => {
    request.resume()
    if (request.url === '/other') return void response.end()
    response.writeHead(418, { 'content-type': 'text/plain' })
    response.write('x'.repeat(bytes))
    respond(response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closers.push(() => {
    server.closeAllConnections()
    return new Promise((resolve) => server.close(resolve))
  })
  const { port } = server.address() as AddressInfo
  const send = (path: string) =>
    createOutboundPost(direct, { maxReadMs })({
      url: new URL(`http://127.0.0.1:${port}${path}`),
      addresses: ['127.0.0.1'],
      headers: {},
      body: '{}',
      signal: AbortSignal.timeout(120_000),
    })
  let isOver = false
  const posted = send('/').finally(() => {
    isOver = true
  })
  const response = await responding
  return {
    posted,
    response,
    closed: new Promise<void>((resolve) => response.once('close', () => resolve())),
    isOver: () => isOver,
    /** Takes the time of one request to the same server. */
    sendAnother: () => send('/other'),
  }
}

test('a response is over after 4 KiB, and its connection is closed', async () => {
  const { posted, closed, response } = await postTo(4_096)
  const { status, ...rest } = await posted
  expect(status).toBe(418)
  // Nothing of the body is handed on.
  expect(Object.keys(rest)).toEqual(['headers'])
  await closed
  expect(response.writableEnded).toBe(false)
})

test('one byte less is not enough', async () => {
  const { posted, closed, response, isOver, sendAnother } = await postTo(4_095)
  for (let n = 0; n < 5; n += 1) await sendAnother()
  expect([isOver(), response.destroyed]).toEqual([false, false])
  response.write('x')
  expect(await posted).toMatchObject({ status: 418 })
  await closed
})

test('a shorter one is not waited for longer than told', async () => {
  const { posted, closed } = await postTo(10, { maxReadMs: 50 })
  expect(await posted).toMatchObject({ status: 418 })
  await closed
})
