// Several presentations followed at once, through deletions, cut connections and refusals.

import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { brief, type User } from '../journeys/user.ts'
import { openWorld, type World } from '../journeys/world.ts'
import { createClient, type GatewayClient, type JobMessage } from './client.ts'
import type { SocketClass } from './socket.ts'

let world: World
beforeAll(async () => {
  world = await openWorld()
})
afterEach(() => world.expectNoLeaks())
afterAll(() => world.close())

const instantly = { random: () => 0, sleep: async () => undefined }

/** Sockets that can be cut, and refused before they open. */
function openNetwork() {
  const network = {
    live: new Set<WebSocket>(),
    opened: 0,
    refusing: 0,
    cut() {
      for (const socket of network.live) socket.terminate()
    },
  }
  const Socket = class extends WebSocket {
    constructor(address: string) {
      const isRefused = network.refusing > 0
      if (isRefused) network.refusing -= 1
      else network.opened += 1
      super(isRefused ? 'ws://127.0.0.1:1' : address)
      network.live.add(this)
      this.on('close', () => network.live.delete(this))
    }
  }
  return { network, Socket: Socket as unknown as SocketClass }
}

async function open(WebSocketClass: SocketClass | undefined) {
  const sub = `follower-${Math.random()}`
  const user = await world.createUser('follower', { sub })
  const token = await world.sign({ sub })
  const client = createClient({
    baseUrl: world.url,
    token: () => token,
    WebSocket: WebSocketClass,
    timing: instantly,
  })
  return { user, client }
}

const stateOf = (message: JobMessage) =>
  message.type === 'job_progress' ? message.data.status : message.type

/** Follows to the end; `act` is called once all have a state. Returns the states of each. */
async function follow(client: GatewayClient, ids: string[], act: () => Promise<unknown>) {
  const states = new Map<string, string[]>()
  let hasActed = false
  for await (const message of client.realtime.follow(ids)) {
    const ofJob = states.get(message.job_id) ?? []
    states.set(message.job_id, [...ofJob, stateOf(message)])
    if (hasActed || states.size < ids.length) continue
    hasActed = true
    await act()
  }
  return ids.map((id) => states.get(id)?.at(-1))
}

async function submitHeld(user: User, count: number): Promise<string[]> {
  world.presenton.gates.hold('outlines')
  const ids: string[] = []
  for (let n = 0; n < count; n += 1) ids.push((await user.submit(brief)).id)
  return ids
}

const remove = (user: User, id: string) => user.api(`/presentations/${id}`, { method: 'DELETE' })

it.each([0, 1])('the deletion of number %i leaves the other one followed', async (deleted) => {
  const { Socket } = openNetwork()
  const { user, client } = await open(Socket)
  const ids = await submitHeld(user, 2)
  const last = await follow(client, ids, async () => {
    await remove(user, ids[deleted] ?? '')
    world.presenton.gates.releaseAll()
  })
  expect(last[deleted]).toBe('job_deleted')
  expect(last[1 - deleted]).toBe('completed')
})

it.each([0, 1])('a deletion of number %i during a disconnect is told, too', async (deleted) => {
  const { network, Socket } = openNetwork()
  const { user, client } = await open(Socket)
  const ids = await submitHeld(user, 2)
  const last = await follow(client, ids, async () => {
    network.refusing = 1
    network.cut()
    await remove(user, ids[deleted] ?? '')
    world.presenton.gates.releaseAll()
  })
  expect(last[deleted]).toBe('job_deleted')
  expect(last[1 - deleted]).toBe('completed')
  expect(network.opened).toBeGreaterThan(1)
})

it('a refused reconnect is tried again, and one socket carries all', async () => {
  const { network, Socket } = openNetwork()
  const { user, client } = await open(Socket)
  const ids = await submitHeld(user, 5)
  const last = await follow(client, ids, async () => {
    network.refusing = 3
    network.cut()
    world.presenton.gates.releaseAll()
  })
  expect(last).toEqual(ids.map(() => 'completed'))
  expect([network.refusing, network.opened]).toEqual([0, 2])
})

it('without a WebSocket, more than four have their turns', async () => {
  const { user, client } = await open(undefined)
  const ids = await submitHeld(user, 6)
  const last = await follow(client, ids, async () => {
    world.presenton.gates.releaseAll()
  })
  expect(last).toEqual(ids.map(() => 'completed'))
}, 120_000)

it('without a WebSocket, the stream of a presentation that was deleted ends with its deletion', async () => {
  const { user, client } = await open(undefined)
  const ids = await submitHeld(user, 6)
  const last = await follow(client, ids, async () => {
    await remove(user, ids[0] ?? '')
    await remove(user, ids[5] ?? '')
    world.presenton.gates.releaseAll()
  })
  expect(last).toEqual(ids.map((_, n) => (n === 0 || n === 5 ? 'job_deleted' : 'completed')))
}, 120_000)
