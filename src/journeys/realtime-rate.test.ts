// How often one job sends over a real connection: at most five messages in any second.

import { afterAll, beforeAll, expect, test } from 'vitest'
import { openReader } from '../sandbox/reader.ts'
import { openSocket, type ReceivedMessage } from '../sandbox/socket.ts'
import { brief } from './user.ts'
import { openWorld, type World } from './world.ts'

let world: World
beforeAll(async () => {
  // A change every 70 ms, or 14 in a second.
  const pace = { chunkMs: 1, chunkChars: 400, slideMs: 70, prepareMs: 0, exportMs: 0 }
  world = await openWorld({ replicas: 2, pace })
})
afterAll(() => world.close())

const isTerminal = ({ data }: ReceivedMessage) => data?.status === 'completed'

test('a quick run sends at most five messages in any second beside the first and the terminal one', async () => {
  const user = await world.createUser()
  world.presenton.gates.hold('outlines:chunk')
  const { id } = await user.submit({ ...brief, n_slides: 20 })
  await world.presenton.gates.arrived('outlines:chunk')
  const urls = world.gateways.map(({ url }) => `${url}/api/v1/realtime`)
  const sockets = await Promise.all(
    urls.map((url) => openSocket(`${url}/generation/${id}`, { token: user.token })),
  )
  const reader = await openReader(`${urls[1]}/sse/generation/${id}`, { token: user.token })
  for (const socket of sockets) await socket.until(({ type }) => type === 'job_progress')
  await reader.until('job_progress')
  world.presenton.gates.releaseAll()
  const followed = await Promise.all(sockets.map((socket) => socket.until(isTerminal, 60_000)))
  followed.push((await reader.rest(60_000)).map(({ data }) => data))
  for (const messages of followed) {
    expect(messages.at(-1).data).toMatchObject({
      status: 'completed',
      progress: 1,
      slides_done: 20,
    })
    const times = messages.slice(0, -1).map(({ timestamp }) => Date.parse(timestamp))
    expect(times.length).toBeGreaterThan(5)
    for (const from of times) {
      const inSecond = times.filter((ms) => ms >= from && ms < from + 1_000)
      expect(inSecond.length, times.join()).toBeLessThanOrEqual(5)
    }
    const progress = messages.map(({ data }) => data.progress)
    expect(progress).toEqual(progress.toSorted((a, b) => a - b))
  }
  for (const socket of sockets) await socket.close()
  await world.expectNoLeaks()
})
