import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import { afterEach, expect, it } from 'vitest'
import { openTestServer, type TestServer } from '../../app/test-server.ts'
import { waitFor } from '../../sandbox/wait-for.ts'

const megabyte = Buffer.alloc(1024 * 1024)
const totalMegabytes = 64

let server: TestServer
afterEach(() => server.close())

/** Serves an image of 64 MiB and counts how much of it the route has read. */
async function openServer() {
  const opened = { body: Readable.from([]), signal: new AbortController().signal, readMegabytes: 0 }
  function* chunks() {
    for (; opened.readMegabytes < totalMegabytes; opened.readMegabytes += 1) yield megabyte
  }
  server = await openTestServer({
    features: {
      images: {
        async openImage({ signal }) {
          opened.signal = signal
          opened.body = Readable.from(chunks(), { objectMode: false })
          const sizeBytes = totalMegabytes * megabyte.length
          return { body: opened.body, contentType: 'image/png', sizeBytes }
        },
      },
    },
  })
  return opened
}

/** Starts a download and pauses it after its head. */
async function startDownload(): Promise<IncomingMessage> {
  const request = get(`${server.url}/static/images/large.png`, {
    headers: { authorization: server.bearer },
  })
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  return response
}

it('reads no more of an image than the client takes', async () => {
  const opened = await openServer()
  const response = await startDownload()
  await new Promise((resolve) => setTimeout(resolve, 200))
  expect(opened.readMegabytes).toBeLessThan(totalMegabytes / 2)
  let receivedBytes = 0
  for await (const chunk of response) receivedBytes += (chunk as Buffer).length
  expect(receivedBytes).toBe(totalMegabytes * megabyte.length)
})

it('stops reading an image when the client disconnects', async () => {
  const opened = await openServer()
  const response = await startDownload()
  response.destroy()
  await waitFor(() => expect(opened.body.destroyed).toBe(true))
  expect(opened.signal.aborted).toBe(true)
  expect(opened.readMegabytes).toBeLessThan(totalMegabytes)
})

it('responds to a HEAD request without reading the image', async () => {
  const opened = await openServer()
  const response = await server.call('/static/images/large.png', { method: 'HEAD' })
  expect(response.headers.get('content-length')).toBe(String(totalMegabytes * megabyte.length))
  expect(opened.body.destroyed).toBe(true)
  expect(opened.readMegabytes).toBe(0)
})
