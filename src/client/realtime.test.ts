// Progress and notifications over a real gateway: WebSockets, and server-sent events in their
// place.

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { brief } from '../journeys/user.ts'
import { openWorld, type World } from '../journeys/world.ts'
import { type ClientOptions, createClient, type JobMessage } from './client.ts'
import type { SocketClass } from './socket.ts'

const webSocket = WebSocket as unknown as SocketClass

/** What a proxy does that knows no upgrades. */
const refused = class extends WebSocket {
  constructor() {
    super('ws://127.0.0.1:1')
  }
} as unknown as SocketClass

let world: World
beforeAll(async () => {
  world = await openWorld({ replicas: 2 })
})
afterEach(() => world.expectNoLeaks())
afterAll(() => world.close())

let users = 0
async function open(options: Partial<ClientOptions> = {}) {
  users += 1
  const sub = `reader-${users}`
  const user = await world.createUser('reader', { sub })
  const token = await world.sign({ sub })
  // Node 20 has no WebSocket of its own.
  return { user, client: createClient({ baseUrl: world.url, token: () => token, ...options }) }
}

const transports = [
  ['over a WebSocket', webSocket],
  ['over server-sent events', undefined],
  ['over server-sent events, after a refused WebSocket', refused],
] as const

describe.each(transports)('%s', (_name, Socket) => {
  const options = { WebSocket: Socket }

  it('follows presentations until each has ended', async () => {
    const { user, client } = await open(options)
    world.presenton.gates.hold('slides')
    const made = [await user.submit(), await user.submit({ ...brief, n_slides: 2 })]
    const cancelled = await user.submit({ ...brief, n_slides: 4 })
    await user.api(`/presentations/${cancelled.id}/cancel`, { method: 'POST' })
    const ids = [...made, cancelled].map(({ id }) => id)
    const last = new Map<string, JobMessage>()
    let isReleased = false
    for await (const message of client.realtime.follow(ids)) {
      last.set(message.job_id, message)
      if (last.size < 3 || isReleased) continue
      isReleased = true
      world.presenton.gates.releaseAll()
    }
    const states = ids.map((id) => {
      const message = last.get(id)
      return message?.type === 'job_progress' ? message.data.status : message?.type
    })
    expect(states).toEqual(['completed', 'completed', 'cancelled'])
  })

  it('tells of a deletion, which ends it', async () => {
    const { user, client } = await open(options)
    world.presenton.gates.hold('outlines')
    const { id } = await user.submit()
    const types: string[] = []
    for await (const { type } of client.realtime.follow([id])) {
      types.push(type)
      if (types.length === 1) await user.api(`/presentations/${id}`, { method: 'DELETE' })
    }
    expect([types[0], types.at(-1)]).toEqual(['job_progress', 'job_deleted'])
    world.presenton.gates.releaseAll()
  })

  it('rejects for a presentation that is not there, first or later in the list', async () => {
    const { user, client } = await open(options)
    world.presenton.gates.hold('outlines')
    const { id } = await user.submit()
    const unknown = '3f333df6-90a4-4fda-8dd3-9485d27cee36'
    for (const ids of [[unknown], [id, unknown]]) {
      const follow = async () => {
        for await (const _message of client.realtime.follow(ids));
      }
      await expect(follow()).rejects.toMatchObject({ code: 'NOT_FOUND', status: 404 })
    }
    world.presenton.gates.releaseAll()
    await user.waitUntilSettled(id)
  })

  it('brings each notification once, also across a reconnect with the cursor', async () => {
    const { user, client } = await open(options)
    const seen: string[] = []
    let cursor: string | undefined
    for (const title of ['One', 'Two']) {
      const { id } = await user.submit({ ...brief, title })
      await user.waitUntilSettled(id)
      for await (const message of client.notifications.follow({ cursor })) {
        if (message.type !== 'notification') continue
        seen.push(message.message)
        cursor = message.cursor
        break
      }
    }
    expect(seen).toEqual([
      expect.stringContaining('“One” is ready'),
      expect.stringContaining('“Two” is ready'),
    ])
  })

  it('an abort ends it with the reason', async () => {
    const { client } = await open(options)
    const leaving = new AbortController()
    const follow = async () => {
      for await (const { type } of client.notifications.follow({ signal: leaving.signal })) {
        expect(type).toBe('connected')
        leaving.abort(new Error('enough'))
      }
    }
    await expect(follow()).rejects.toThrow('enough')
  })
})

it('goes on at another replica when the first one shuts down', async () => {
  const doomed = await world.openReplica()
  let url = doomed.url
  const { user, client } = await open({
    WebSocket: class extends WebSocket {
      constructor(address: string) {
        super(address.replace(/:\/\/[^/]+/, url.replace('http', '')))
      }
    } as unknown as SocketClass,
    timing: { random: () => 0, sleep: async () => undefined },
  })
  world.presenton.gates.hold('slides')
  const { id } = await user.submit()
  const states: string[] = []
  let isClosed = false
  for await (const message of client.realtime.follow([id])) {
    if (message.type === 'job_progress') states.push(message.data.status)
    if (isClosed) continue
    isClosed = true
    url = world.url
    await world.closeReplica(doomed)
    world.presenton.gates.releaseAll()
  }
  expect(states.at(-1)).toBe('completed')
})

it('follows a hundred at once, although messages are limited', async () => {
  const { user, client } = await open({ WebSocket: webSocket })
  const { id } = await user.submit()
  await user.waitUntilSettled(id)
  await world.query(
    `insert into gateway.presentations (id, user_id, status, run_format, template, language,
       n_slides, export_as, brief, turn, queued_at)
     select gen_random_uuid(), $1, 'failed', 'pptx', 'general', 'English', 1, 'pptx', '{}', 0, now()
     from generate_series(1, 99)`,
    [user.sub],
  )
  await world.query(
    `insert into gateway.leases (presentation_id)
     select p.id from gateway.presentations p where p.user_id = $1
     on conflict do nothing`,
    [user.sub],
  )
  const ids: string[] = []
  for await (const { id } of client.presentations.list()) ids.push(id)
  expect(ids).toHaveLength(100)
  const seen = new Set<string>()
  for await (const { job_id } of client.realtime.follow(ids)) seen.add(job_id)
  expect(seen.size).toBe(100)
  expect(() => client.realtime.follow([...ids, 'one more'])).toThrow(RangeError)
})

it('lists, reads and deletes notifications', async () => {
  const { user, client } = await open()
  for (const title of ['A', 'B', 'C']) {
    await user.waitUntilSettled((await user.submit({ ...brief, title })).id)
  }
  const { notifications } = client
  const list = async (options = {}) => {
    const ids: string[] = []
    for await (const { id } of notifications.list({ limit: 1, ...options })) ids.push(id)
    return ids
  }
  const [c = '', b = '', a = ''] = await list()
  expect(await notifications.read(c)).toMatchObject({ id: c, read: true })
  expect(await list({ unread: true })).toEqual([b, a])
  expect(await notifications.read({ upTo: b })).toEqual({ unread: 0 })
  await notifications.delete(b)
  expect(await list()).toEqual([c, a])
  await expect(notifications.delete(b)).rejects.toMatchObject({ code: 'NOT_FOUND' })
})
