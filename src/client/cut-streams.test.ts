// A recorded stream behind a proxy that cuts it at every byte, those of the head and of the chunks
// too: each event arrives once.

import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { openWorld, type World } from '../journeys/world.ts'
import { createClient, type PresentationEvent } from './client.ts'

let world: World
beforeAll(async () => {
  world = await openWorld()
})
afterEach(() => world.expectNoLeaks())
afterAll(() => world.close())

/** All bytes of the gateway's response to a subscriber who has seen the events up to this one. */
async function record(id: string, token: string, lastEventId: number): Promise<Buffer> {
  const { hostname, port } = new URL(world.url)
  const socket = connect(Number(port), hostname)
  const lines = [
    `GET /api/v1/presentations/${id}/events HTTP/1.1`,
    `host: ${hostname}:${port}`,
    `authorization: Bearer ${token}`,
    'accept: text/event-stream',
    `last-event-id: ${lastEventId}`,
    'connection: close',
  ]
  socket.write(`${lines.join('\r\n')}\r\n\r\n`)
  const parts: Buffer[] = []
  for await (const part of socket) parts.push(part)
  return Buffer.concat(parts)
}

/**
 * Plays the responses, `recorded[n]` after event n. The first connection for `/presentations/<k>`
 * is cut after k bytes: by a clean end where k is even, else by a reset.
 */
async function openCuttingProxy(recorded: readonly Buffer[]) {
  const connections = new Map<number, number>()
  function answer(socket: Socket, head: string) {
    const cutAt = Number(/\/presentations\/(\d+)\//.exec(head)?.[1])
    const lastId = Number(/^last-event-id: (\d+)/im.exec(head)?.[1] ?? 0)
    const count = (connections.get(cutAt) ?? 0) + 1
    connections.set(cutAt, count)
    const bytes = recorded[lastId] ?? Buffer.alloc(0)
    if (count > 1) socket.end(bytes)
    else if (cutAt % 2 === 0) socket.end(bytes.subarray(0, cutAt))
    else socket.write(bytes.subarray(0, cutAt), () => socket.resetAndDestroy())
  }
  const server = createServer((socket) => {
    let head = ''
    socket.on('error', () => undefined)
    socket.on('data', (data) => {
      head += data.toString()
      if (head.endsWith('\r\n\r\n')) answer(socket, head)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    connections,
    async close() {
      server.close()
      await once(server, 'close')
    },
  }
}

it('is complete wherever the connection is cut', async () => {
  const user = await world.createUser()
  // A run without slides has all kinds of bytes, and few of them.
  const brief = { content: 'Die Brücke, 橋 🌉.', n_slides: 1, review_outlines: true }
  const { id } = await user.waitUntilSettled((await user.submit(brief)).id)
  await user.api(`/presentations/${id}/cancel`, { method: 'POST' })
  const client = createClient({ baseUrl: world.url, token: user.token })
  const expected: PresentationEvent[] = []
  for await (const event of client.presentations.events(id)) expected.push(event)
  const recorded: Buffer[] = []
  for (let n = 0; n < expected.length; n += 1) recorded.push(await record(id, user.token, n))
  expect(expected.length).toBeGreaterThan(8)

  const proxy = await openCuttingProxy(recorded)
  const cutClient = createClient({
    baseUrl: proxy.url,
    token: user.token,
    timing: { random: () => 0, sleep: async () => undefined },
  })
  const whole = JSON.stringify(expected)
  expect(whole).toContain('橋 🌉')
  const incomplete: number[] = []
  let next = 0
  async function cutInTurn() {
    for (let cutAt = next++; cutAt < recorded[0]!.length; cutAt = next++) {
      const seen: PresentationEvent[] = []
      for await (const event of cutClient.presentations.events(String(cutAt))) seen.push(event)
      if (JSON.stringify(seen) !== whole) incomplete.push(cutAt)
    }
  }
  await Promise.all(Array.from({ length: 8 }, cutInTurn))
  await proxy.close()
  expect(incomplete).toEqual([])
  // Those that were cut before the last event needed a second connection, and none a third.
  const terminal = recorded[0]!.lastIndexOf('\n\n')
  const counts = Array.from({ length: recorded[0]!.length }, (_, at) => (at < terminal + 2 ? 2 : 1))
  expect([...proxy.connections].sort(([a], [b]) => a - b).map(([, count]) => count)).toEqual(counts)
}, 300_000)
