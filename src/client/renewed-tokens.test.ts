// Real-time connections beyond the end of their token, and token functions that fail.

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { openWorld, type World } from '../journeys/world.ts'
import { createClient, type GatewayClient } from './client.ts'
import type { SocketClass } from './socket.ts'
import { openTestGateway, sendJson, sendProblem } from './test-gateway.ts'

const webSocket = WebSocket as unknown as SocketClass
const transports = [
  ['over a WebSocket', webSocket],
  ['over server-sent events', undefined],
] as const

describe.each(transports)('%s, a token that ends', (_name, Socket) => {
  let world: World
  beforeAll(async () => {
    world = await openWorld({ replicas: 2 })
  })
  afterEach(() => world.expectNoLeaks())
  afterAll(() => world.close())

  it('is asked for once more for all that are followed, and nothing is lost', async () => {
    const user = await world.createUser()
    world.presenton.gates.hold('outlines')
    const made = await Promise.all(Array.from({ length: 3 }, () => user.submit()))
    let asked = 0
    const client = createClient({
      baseUrl: world.url,
      WebSocket: Socket,
      token: () => {
        asked += 1
        return world.sign({ sub: user.sub, ...(asked === 1 && { expiresInSeconds: 3 }) })
      },
    })

    /** Until it has connected again; returns how often that was. */
    async function followNotifications(): Promise<number> {
      let connected = 0
      for await (const { type } of client.notifications.follow()) {
        if (type === 'connected') connected += 1
        if (connected === 2) break
      }
      return connected
    }
    async function followJob(id: string) {
      let last: string | undefined
      for await (const message of client.realtime.follow([id])) {
        last = message.type === 'job_progress' ? message.data.status : message.type
      }
      return last
    }
    const jobs = Promise.all(made.map(({ id }) => followJob(id)))
    const reconnects = Promise.all([1, 2, 3].map(followNotifications))
    // The first rejection is the one to see.
    await Promise.race([reconnects, jobs])
    expect(await reconnects).toEqual([2, 2, 2])
    world.presenton.gates.releaseAll()
    expect(await jobs).toEqual(['completed', 'completed', 'completed'])
    expect(asked).toBe(2)
  }, 120_000)
})

describe('an error that the token function throws', () => {
  const closers: (() => Promise<unknown>)[] = []
  afterEach(async () => {
    for (const close of closers.splice(0)) await close()
  })
  async function next(stream: AsyncGenerator<unknown, void, undefined>) {
    await stream.next()
  }
  const uses: [string, (client: GatewayClient) => Promise<unknown>][] = [
    ['a call', ({ usage }) => usage.get()],
    ['a creating call', ({ presentations }) => presentations.create({ content: 'a' })],
    ['a list', ({ presentations }) => next(presentations.list())],
    ['wait', ({ presentations }) => presentations.wait('p1')],
    ['events', ({ presentations }) => next(presentations.events('p1'))],
    ['realtime.follow', ({ realtime }) => next(realtime.follow(['p1']))],
    ['realtime.follow of two', ({ realtime }) => next(realtime.follow(['p1', 'p2']))],
    ['notifications.follow', ({ notifications }) => next(notifications.follow())],
  ]
  const signedOut = new TypeError('signed out')

  it.each(uses)('reaches the caller of %s as it is, and is not tried again', async (_name, use) => {
    const gateway = await openTestGateway((response) => sendJson(response, 200, {}))
    closers.push(gateway.close)
    for (const WebSocket of [webSocket, undefined]) {
      let asked = 0
      const token = () => {
        asked += 1
        throw signedOut
      }
      const failure = use(gateway.client({ WebSocket, token })).catch((error) => error)
      expect(await failure).toBe(signedOut)
      expect(asked).toBe(1)
    }
    expect([gateway.received, gateway.waits]).toEqual([[], []])
  })

  it.each(uses)('at a renewal reaches the caller of %s', async (_name, use) => {
    const gateway = await openTestGateway((response) =>
      sendProblem(response, 401, 'AUTHENTICATION_FAILED'),
    )
    closers.push(gateway.close)
    let asked = 0
    const token = async () => {
      asked += 1
      if (asked > 1) throw signedOut
      return 'old'
    }
    const client = gateway.client({ WebSocket: webSocket, token })
    expect(await use(client).catch((error) => error)).toBe(signedOut)
    expect([asked, gateway.received.length, gateway.waits]).toEqual([2, 1, []])
  })
})
