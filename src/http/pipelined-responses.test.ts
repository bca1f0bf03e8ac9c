import { connect } from 'node:net'
import { afterEach, expect, it } from 'vitest'
import { openTestServer, type TestServer } from '../app/test-server.ts'
import { waitFor } from '../sandbox/wait-for.ts'

let server: TestServer
afterEach(() => server.close())

it('closes every pipelined response when the connection breaks', async () => {
  let received = 0
  server = await openTestServer({
    env: { SHUTDOWN_GRACE_SECONDS: '600' },
    features: {
      templates: {
        listTemplates: () => {
          received += 1
          return new Promise(() => undefined)
        },
      },
    },
  })
  const socket = connect(server.port, '127.0.0.1')
  socket.write(
    `GET /api/v1/templates HTTP/1.1\r\nHost: x\r\nAuthorization: ${server.bearer}\r\n\r\n`.repeat(
      20,
    ),
  )
  await waitFor(() => expect(received).toBe(20))
  socket.resetAndDestroy()
  const finished = () => server.lines.filter((line) => line.includes('"msg":"request"'))
  await waitFor(() => expect(finished()).toHaveLength(20))
  expect(finished().every((line) => line.includes('"aborted":true'))).toBe(true)
  // No request is pending, so the close does not wait for the grace.
  server.beginClosing()
  await server.close()
})
