import { once } from 'node:events'
import { createServer, type RequestListener, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { openReader } from './reader.ts'

const closing: (() => void)[] = []
afterEach(() => {
  for (const close of closing.splice(0)) close()
})

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  closing.push(() => {
    server.closeAllConnections()
    server.close()
  })
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/events`
}

const head = (response: ServerResponse) =>
  response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' }).flushHeaders()
const frame = (id: number, type: string) =>
  `id: ${id}\nevent: response\ndata: {"type":"${type}"}\n\n`

test('reads events one by one with id, name and data, the retry time and the comments', async () => {
  const url = await serve((_request, response) => {
    head(response)
    response.end(
      `retry: 2345\n\n: hello\n\n${frame(1, 'queued')}: beat\n\nevent: response\ndata: {"type":"status","status":"茶"}\n\n`,
    )
  })
  const reader = await openReader(url)
  expect(reader.status).toBe(200)
  expect(await reader.expectNext('queued')).toEqual({
    id: 1,
    event: 'response',
    data: { type: 'queued' },
    text: '{"type":"queued"}',
  })
  expect(await reader.expectNext()).toMatchObject({ id: undefined, data: { status: '茶' } })
  expect(await reader.next()).toBeUndefined()
  expect(await reader.ended).toBe('clean')
  expect([reader.retry, reader.comments]).toEqual([2345, 2])
})

test('joins an event that arrives byte by byte, also within a character', async () => {
  const bytes = Buffer.from(frame(1, 'τσάι 🍵'))
  const url = await serve(async (_request, response) => {
    head(response)
    for (const byte of bytes) {
      response.write(Buffer.of(byte))
      await new Promise(setImmediate)
    }
    response.end()
  })
  const reader = await openReader(url)
  expect((await reader.rest()).map(({ data }) => data)).toEqual([{ type: 'τσάι 🍵' }])
})

test('sends the token and the last event id', async () => {
  const url = await serve((request, response) => {
    head(response)
    const { authorization, accept, 'last-event-id': last } = request.headers
    response.end(`data: ${JSON.stringify({ type: 'seen', authorization, accept, last })}\n\n`)
  })
  const reader = await openReader(url, { token: 'abc', lastEventId: 7 })
  expect((await reader.expectNext('seen')).data).toMatchObject({
    authorization: 'Bearer abc',
    accept: 'text/event-stream',
    last: '7',
  })
})

test('gives status, headers and body of a response that is not a stream', async () => {
  const url = await serve((_request, response) =>
    response
      .writeHead(404, { 'content-type': 'application/problem+json' })
      .end('{"code":"NOT_FOUND"}'),
  )
  const reader = await openReader(url)
  expect(reader.status).toBe(404)
  expect(reader.headers['content-type']).toBe('application/problem+json')
  expect(JSON.parse(await reader.body)).toEqual({ code: 'NOT_FOUND' })
  expect(await reader.next()).toBeUndefined()
})

test('rejects with different errors for an unexpected event, a timeout and an early end', async () => {
  const url = await serve((request, response) => {
    head(response)
    response.write(frame(1, 'stage'))
    if (request.url?.endsWith('?end')) response.end()
  })
  const silent = await openReader(url)
  await expect(silent.expectNext('complete')).rejects.toThrow(
    'expected complete, received {"type":"stage"}',
  )
  await expect(silent.expectNext('complete', 20)).rejects.toThrow('no event within 20 ms')
  silent.close()
  const ending = await openReader(`${url}?end`)
  await expect(ending.until('complete')).rejects.toThrow('ended without complete, after stage')
})

test('gives the events before a broken connection, then rejects', async () => {
  const url = await serve((_request, response) => {
    head(response)
    response.write(frame(1, 'stage'), () => response.destroy())
  })
  const reader = await openReader(url)
  await reader.expectNext('stage')
  await expect(reader.next()).rejects.toThrow('broke off')
  expect(await reader.ended).toBe('broken')
})

test('ends the connection and the iteration at close', async () => {
  let disconnected: Promise<unknown> = Promise.resolve()
  const url = await serve((_request, response) => {
    disconnected = once(response, 'close')
    head(response)
    response.write(frame(1, 'stage') + frame(2, 'stage'))
  })
  const reader = await openReader(url)
  const ids: (number | undefined)[] = []
  for await (const { id } of reader) {
    ids.push(id)
    if (id === 2) reader.close()
  }
  expect(ids).toEqual([1, 2])
  expect(await reader.ended).toBe('closed')
  await disconnected
})

test('reads nothing from the socket while paused', async () => {
  const filler = 'x'.repeat(64 * 1024)
  let sent = 0
  let reportBlocked: () => void = () => {}
  const blocked = new Promise<void>((resolve) => (reportBlocked = resolve))
  const url = await serve(async (_request, response) => {
    head(response)
    while (sent < 400) {
      sent++
      if (!response.write(`id: ${sent}\ndata: {"type":"chunk","chunk":"${filler}"}\n\n`)) {
        if (sent > 20) reportBlocked()
        await once(response, 'drain')
      }
    }
    response.end()
  })
  const reader = await openReader(url)
  reader.pause()
  await blocked
  expect(sent).toBeLessThan(400)
  reader.resume()
  expect(await reader.rest()).toHaveLength(400)
})
