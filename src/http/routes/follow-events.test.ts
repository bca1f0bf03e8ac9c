import { connect } from 'node:net'
import { Readable } from 'node:stream'
import { afterEach, expect, it, vi } from 'vitest'
import { openTestServer, rowId, type TestServer } from '../test-server.ts'

let server: TestServer
afterEach(() => server.close())

it('cuts the connection when the stream is ended in the middle, so that its reader comes back instead of waiting', async () => {
  const stream = new Readable({ read: () => undefined })
  server = await openTestServer({ services: { follow: async () => stream } })
  const socket = connect(server.port, '127.0.0.1')
  let text = ''
  socket.setEncoding('utf8').on('data', (piece: string) => (text += piece))
  socket.on('error', () => undefined)
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  socket.write(`GET /api/v1/presentations/${rowId}/events HTTP/1.1\r\nHost: x\r\nAuthorization: ${server.bearer}\r\n\r\n`)
  stream.push('id: 1\ndata: {}\n\n')
  await vi.waitFor(() => expect(text).toContain('id: 1'))
  stream.destroy()
  await closed
  // Not as if that had been all.
  expect(text).not.toMatch(/\r\n0\r\n\r\n$/)
})
