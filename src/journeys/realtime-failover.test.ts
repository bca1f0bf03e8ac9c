// Real-time connections over crashes: a client that reconnects to another replica sees the true end
// of the run, and each notification once.

import { afterEach, expect, test, vi } from 'vitest'
import { openReader } from '../sandbox/reader.ts'
import { openSocket, type ReceivedMessage, type Socket } from '../sandbox/socket.ts'
import type { User } from './user.ts'
import { openWorld, type World } from './world.ts'

// Starting and stopping processes takes long on a busy machine.
vi.setConfig({ testTimeout: 240_000 })

let world: World
const sockets: Socket[] = []
afterEach(async () => {
  for (const socket of sockets.splice(0)) await socket.close()
  await world.close()
})

async function open(url: string, path: string, user: User): Promise<Socket> {
  const socket = await openSocket(`${url}/api/v1/realtime${path}`, { token: user.token })
  sockets.push(socket)
  return socket
}

const isTerminal = ({ data }: ReceivedMessage) => data?.status === 'completed'

test('after kill -9 of the replica that runs and serves, another one shows the end and the notification once', async () => {
  world = await openWorld({ replicas: 0, env: { LEASE_SECONDS: '1' } })
  const { presenton } = world
  const crashing = await world.spawnReplica()
  const user = await world.createUser()
  presenton.gates.hold('slides:slide')
  const { id } = (await user.post(undefined, {}, crashing.url)).body
  await presenton.gates.arrived('slides:slide')
  const progress = await open(crashing.url, `/generation/${id}`, user)
  const notified = await open(crashing.url, '/notifications', user)
  await progress.until(({ type }) => type === 'job_progress')
  await notified.expectNext('connected')
  const other = await world.openReplica()
  await crashing.kill()
  expect((await progress.closed).code).toBe(1006)
  const [again, renewed] = [
    await open(other.url, `/generation/${id}`, user),
    await open(other.url, '/notifications', user),
  ]
  presenton.gates.releaseAll()
  expect((await again.until(isTerminal, 60_000)).at(-1)).toMatchObject({ job_id: id })
  await renewed.expectNext('connected')
  const { data, cursor } = await renewed.expectNext('notification')
  expect(data).toMatchObject({ presentation_id: id })
  await renewed.close()
  const resumed = await open(other.url, `/notifications?last_event_id=${cursor}`, user)
  await resumed.expectNext('connected')
  resumed.send({ type: 'ping' })
  await resumed.expectNext('pong')
  expect((await user.api('/notifications', { baseUrl: other.url })).body.items).toHaveLength(1)
  await world.expectNoLeaks()
})

test('on SIGTERM a replica closes its sockets with 1012, ends its streams with a retry, and exits with 0', async () => {
  world = await openWorld({ replicas: 1 })
  const closing = await world.spawnReplica({ WORKER: 'false' })
  const user = await world.createUser()
  world.presenton.gates.hold('slides:slide')
  const { id } = await user.submit()
  await world.presenton.gates.arrived('slides:slide')
  const streams = [`realtime/sse/generation/${id}`, 'realtime/sse/notifications']
  const readers = await Promise.all(
    [...streams, `presentations/${id}/events`].map((path) =>
      openReader(`${closing.url}/api/v1/${path}`, { token: user.token }),
    ),
  )
  for (const reader of readers) await reader.expectNext()
  const open2 = [
    await open(closing.url, `/generation/${id}`, user),
    await open(closing.url, '/notifications', user),
  ]
  await closing.kill('SIGTERM')
  for (const reader of readers) {
    const last = (await reader.rest()).at(-1)
    expect(['error', 'complete']).not.toContain(last?.data.type)
    expect(await reader.ended).toBe('clean')
    expect(reader.retry).toBeGreaterThan(0)
  }
  for (const socket of open2) {
    const { code, reason } = await socket.closed
    expect(code).toBe(1012)
    expect(Number(reason)).toBeGreaterThanOrEqual(1_000)
  }
  expect(await closing.exited).toEqual({ code: 0, signal: null })
  await world.expectNoLeaks()
})

test('many connections over three replicas all see the true end, and only their own notifications', async () => {
  world = await openWorld({ replicas: 3, env: { MAX_RUNNING: '10', MAX_RUNNING_PER_USER: '10' } })
  const users = await Promise.all(Array.from({ length: 5 }, () => world.createUser()))
  world.presenton.gates.hold('slides:slide')
  const followed = await Promise.all(
    users.map(async (user) => {
      const { id } = await user.submit()
      const urls = world.gateways.map(({ url }) => url)
      const progress = await Promise.all(
        Array.from({ length: 12 }, (_, n) => open(urls[n % 3] ?? '', `/generation/${id}`, user)),
      )
      const notified = await Promise.all(urls.map((url) => open(url, '/notifications', user)))
      return { id, user, progress, notified }
    }),
  )
  world.presenton.gates.releaseAll()
  for (const { id, user, progress, notified } of followed) {
    for (const socket of progress) {
      const messages = await socket.until(isTerminal, 90_000)
      expect(messages.every(({ job_id }) => job_id === id)).toBe(true)
    }
    for (const socket of notified) {
      const messages = await socket.until(({ type }) => type === 'notification')
      expect(messages.at(-1)).toMatchObject({
        channel: `user_${user.sub}`,
        data: { presentation_id: id },
      })
    }
  }
  for (const { notified } of followed)
    for (const socket of notified)
      expect(socket.received.filter(({ type }) => type === 'notification')).toHaveLength(1)
  for (const socket of sockets.splice(0)) await socket.close()
  await world.expectNoLeaks()
})
