// Channels `presentation_{id}`: each change of status or stage, however short, and what statistics
// count as a subscription.

import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { openSocket, type ReceivedMessage, type Socket } from '../sandbox/socket.ts'
import { brief, type User } from './user.ts'
import { openWorld, type World } from './world.ts'

let world: World
const sockets: Socket[] = []
beforeAll(async () => {
  world = await openWorld({ replicas: 2, env: { REALTIME_STATS: 'true' } })
})
afterEach(async () => {
  for (const socket of sockets.splice(0)) await socket.close()
  await world.expectNoLeaks()
})
afterAll(() => world.close())

async function open(user: User, path: string, replica = 0): Promise<Socket> {
  const url = `${world.gateways[replica]?.url}/api/v1/realtime${path}`
  const socket = await openSocket(url, { token: user.token })
  sockets.push(socket)
  return socket
}

/** Hears of one presentation only. */
async function watch(user: User, id: string, replica = 0): Promise<Socket> {
  const socket = await open(user, '/notifications', replica)
  await socket.expectNext('connected')
  for (const [type, channel] of [
    ['unsubscribe_channel', `user_${user.sub}`],
    ['subscribe_channel', `presentation_${id}`],
  ]) {
    socket.send({ type, channel })
    await socket.until((message) => message.type.startsWith('channel_'))
  }
  return socket
}

const states = (messages: ReceivedMessage[]) =>
  messages.map(({ type, status, stage }) => [type, status, stage])
const state = (status: string, stage: string | null = null) => [
  'presentation_status',
  status,
  stage,
]

test('sends each change of status and stage in its order, beside busy followers, on any replica', async () => {
  const user = await world.createUser()
  world.presenton.gates.hold('outlines:chunk')
  const { id } = await user.submit({ ...brief, review_outlines: true })
  await world.presenton.gates.arrived('outlines:chunk')
  const watching = [await watch(user, id), await watch(user, id, 1)]
  for (const replica of [0, 1]) await open(user, `/generation/${id}`, replica)
  world.presenton.gates.releaseAll()
  for (const socket of watching)
    expect(states([await socket.next()])).toEqual([state('awaiting_outlines')])

  const approved = await user.api(`/presentations/${id}/outlines`, { method: 'PUT' })
  expect(approved.status).toBe(202)
  for (const socket of watching)
    expect(states(await socket.until(({ status }) => status === 'completed'))).toEqual([
      state('queued', 'prepare'),
      ...['prepare', 'slides', 'export', 'store'].map((stage) => state('running', stage)),
      state('completed'),
    ])

  await user.api(`/presentations/${id}/exports`, { method: 'POST', body: { format: 'pdf' } })
  for (const socket of watching)
    expect(states(await socket.until(({ status }) => status === 'completed'))).toEqual([
      ...['export', 'store'].map((stage) => state('running', stage)),
      state('completed'),
    ])
})

test('statistics count the subscriptions of generation connections only', async () => {
  const user = await world.createUser()
  const { id } = await user.generate()
  await watch(user, id)
  const following = await open(user, `/generation/${id}`)
  await following.until(({ type }) => type === 'job_progress')
  const counts = async () => {
    const url = `${world.gateways[0]?.url}/api/v1/realtime/stats`
    const response = await fetch(url, { headers: { authorization: `Bearer ${user.token}` } })
    const { generation_manager } = (await response.json()) as {
      generation_manager: { active_jobs: number; job_subscribers: number }
    }
    return [generation_manager.active_jobs, generation_manager.job_subscribers]
  }
  expect(await counts()).toEqual([1, 1])
  following.send({ type: 'unsubscribe_job', job_id: id })
  await following.expectNext('unsubscribed')
  expect(await counts()).toEqual([0, 0])
  following.send({ type: 'subscribe_job', job_id: id })
  await following.until(({ type }) => type === 'job_progress')
  expect(await counts()).toEqual([1, 1])
})
