import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { createBase } from '../http/base.ts'
import { accountOfUser } from '../presenton/account.ts'
import { createLogger } from '../telemetry/logging.ts'
import { addRoute } from './table-routes.ts'

test('a response that takes longer than a connection may idle still arrives', async () => {
  const app = createBase({
    logger: createLogger({ logLevel: 'silent' }),
    ...{ trustProxy: false, headers: {}, idleTimeoutMs: 100 },
  })
  onTestFinished(() => app.close())
  const time = new Date()
  const session = { hash: 'x', userId: 'alice', userName: null, createdAt: time, expiresAt: time }
  app.decorateRequest('isRemembered', false)
  app.decorateRequest('makerSession', undefined)
  app.addHook('onRequest', async (request) => {
    request.makerSession = session
  })

  /** Connects, sends nothing, and waits until the server closes the connection. */
  async function waitForIdleClose() {
    const { port } = app.server.address() as AddressInfo
    await once(connect(port, '127.0.0.1').resume(), 'close')
  }
  const access = {
    ...{ accountOf: accountOfUser, findOwnDeck: async () => undefined },
    ...{ findSession: async () => session, handlers: {} },
  }
  let socketTimeout: number | undefined
  async function respondLate() {
    // The second one connects after the request has come, and is closed for being idle.
    await waitForIdleClose()
    await waitForIdleClose()
    return { isDone: true }
  }
  addRoute(app, { method: 'GET', path: '/slow', class: 'local' }, respondLate, access)
  app.addHook('onSend', async ({ raw }) => {
    socketTimeout = raw.socket.timeout
  })
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  expect(await (await fetch(`${url}/slow`)).json()).toEqual({ isDone: true })
  expect(socketTimeout).toBe(100)
})
