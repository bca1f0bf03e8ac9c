// Wakes between replicas: what is sent, what arrives, and what becomes of those that a broken
// connection swallowed.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { openTcpProxy, type TcpProxy } from '../sandbox/tcp-proxy.ts'
import { openTestDatabase, type TestDatabase } from '../sandbox/test-database.ts'
import { type Channels, createChannels, postgresChannel } from './channels.ts'
import { type Database, openDatabase } from './connection.ts'
import { openListener } from './listener.ts'

const id = 'a2b1c3d4-0000-4000-8000-000000000001'

describe('channels', () => {
  let test: TestDatabase
  let proxy: TcpProxy
  let database: Database
  let sender: Channels
  const closing: (() => Promise<unknown>)[] = []
  beforeEach(async () => {
    test = await openTestDatabase()
    proxy = await openTcpProxy({ port: Number(new URL(test.url).port) })
    database = openDatabase({ url: test.url, poolMax: 2 })
    sender = createChannels(database)
  })
  afterEach(async () => {
    proxy.resetStalled()
    for (const close of closing.splice(0)) await close()
    await sender.close()
    await database.close()
    await proxy.close()
    await test.close()
  })

  /** Another replica, which listens through the proxy. */
  async function openReplica(heartbeatMs = 10_000) {
    const channels = createChannels(undefined)
    const heard: unknown[][] = []
    for (const channel of ['log', 'status', 'queue', 'revoked'] as const) {
      channels.subscribe(channel, (message) => heard.push([channel, message]))
    }
    channels.subscribeMissed(() => heard.push(['missed']))
    const trouble: unknown[] = []
    const listener = openListener({
      ...{ url: proxy.through(test.url), channels, heartbeatMs },
      onTrouble: (error) => trouble.push(error),
    })
    closing.push(() => listener.close())
    const missed = () => heard.filter(([channel]) => channel === 'missed').length
    await vi.waitFor(() => expect(missed()).toBe(1))
    return { heard, missed, trouble }
  }

  it('of every kind reach other replicas, and never come back to the one that sent them', async () => {
    const { heard } = await openReplica()
    const own = createChannels(undefined, 'own')
    const back: unknown[] = []
    own.subscribe('queue', () => back.push('queue'))
    own.receive('{"origin":"own","channel":"queue"}')
    own.receive('{"origin":"other","channel":"queue"}')
    for (const garbage of ['', 'other:q', 'null', '7', '{"channel":"toString"}'])
      own.receive(garbage)
    expect(back).toEqual(['queue'])
    sender.publish('log', { id, seq: 7 })
    sender.publish('status', { id })
    sender.publish('queue', {})
    sender.publish('revoked', { id })
    await vi.waitFor(() => expect(heard).toHaveLength(5))
    expect(heard.slice(1)).toEqual([
      ['log', { id, seq: 7 }],
      ['status', { id }],
      ['queue', {}],
      ['revoked', { id }],
    ])
  })

  it('that come in a burst are sent together, the latest of a log alone', async () => {
    const { heard } = await openReplica()
    for (let seq = 1; seq <= 500; seq += 1) sender.publish('log', { id, seq })
    await vi.waitFor(() => expect(heard.at(-1)).toEqual(['log', { id, seq: 500 }]))
    expect(heard.length).toBeLessThan(5)
  })

  it('never fill the pool: while one statement is under way, the others wait together', async () => {
    const under = { way: 0, most: 0, statements: 0 }
    let letGo = () => {}
    const held = new Promise<void>((resolve) => (letGo = resolve))
    const slow = createChannels({
      async query() {
        under.statements += 1
        under.most = Math.max(under.most, ++under.way)
        await held
        under.way -= 1
        return []
      },
    })
    slow.publish('queue', {})
    await vi.waitFor(() => expect(under.way).toBe(1))
    // Over several times as long as they are gathered.
    const startedMs = performance.now()
    for (let seq = 1; performance.now() - startedMs < 60; seq += 1) {
      slow.publish('log', { id, seq })
      await new Promise(setImmediate)
    }
    letGo()
    await slow.close()
    expect(under).toEqual({ way: 0, most: 1, statements: 2 })
  })

  it('that were not sent yet are sent at the end', async () => {
    const { heard } = await openReplica()
    sender.publish('log', { id, seq: 1 })
    sender.publish('queue', {})
    await sender.close()
    await vi.waitFor(() => expect(heard).toContainEqual(['queue', {}]))
  })

  it('that were missed are made good for: whoever was cut off looks at everything once it is back', async () => {
    const { heard, missed } = await openReplica()
    for (let round = 2; round <= 3; round += 1) {
      await proxy.down()
      await database.query('select pg_notify($1, $2)', [
        postgresChannel,
        JSON.stringify({ origin: 'another', channel: 'log', id, seq: round }),
      ])
      await proxy.up()
      await vi.waitFor(() => expect(missed()).toBe(round), { timeout: 5_000 })
    }
    expect(heard.filter(([kind]) => kind === 'log')).toEqual([])
    sender.publish('log', { id, seq: 9 })
    await vi.waitFor(() => expect(heard.at(-1)).toEqual(['log', { id, seq: 9 }]))
  })

  it('are heard again soon after the connection vanished without a word', async () => {
    const { heard, missed, trouble } = await openReplica(200)
    proxy.stall()
    await vi.waitFor(() => expect(missed()).toBe(2), { timeout: 5_000 })
    expect(trouble.length).toBeGreaterThan(0)
    sender.publish('queue', {})
    await vi.waitFor(() => expect(heard.at(-1)).toEqual(['queue', {}]))
  })
})
