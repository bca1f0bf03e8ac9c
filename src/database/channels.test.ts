// Messages between replicas: which are sent, which arrive, and what a subscriber learns about
// messages that a broken connection lost.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openTcpProxy, type TcpProxy } from '../sandbox/tcp-proxy.ts'
import { openTestDatabase, type TestDatabase } from '../sandbox/test-database.ts'
import { waitFor } from '../sandbox/wait-for.ts'
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

  /** A second replica that listens through the proxy. */
  async function openReplica(heartbeatMs = 10_000) {
    const channels = createChannels(undefined)
    const received: unknown[][] = []
    for (const channel of ['log', 'status', 'queue', 'revoked'] as const) {
      channels.subscribe(channel, (message) => received.push([channel, message]))
    }
    channels.subscribeMissed(() => received.push(['missed']))
    const errors: unknown[] = []
    const listener = openListener({
      url: proxy.through(test.url),
      channels,
      heartbeatMs,
      onError: (error) => errors.push(error),
    })
    closing.push(() => listener.close())
    const missed = () => received.filter(([channel]) => channel === 'missed').length
    await waitFor(() => expect(missed()).toBe(1))
    return { received, missed, errors }
  }

  it('deliver every message to other replicas, and none to the sender', async () => {
    const { received } = await openReplica()
    const own = createChannels(undefined, 'own')
    const ownReceived: unknown[] = []
    own.subscribe('queue', () => ownReceived.push('queue'))
    own.receive('{"origin":"own","channel":"queue"}')
    own.receive('{"origin":"other","channel":"queue"}')
    for (const garbage of ['', 'other:q', 'null', '7', '{"channel":"toString"}'])
      own.receive(garbage)
    expect(ownReceived).toEqual(['queue'])
    own.subscribe('log', (message) => ownReceived.push(message))
    for (const seq of [undefined, '9', 1.5])
      own.receive(JSON.stringify({ origin: 'other', channel: 'log', id, seq }))
    own.receive(JSON.stringify({ origin: 'other', channel: 'log', id, seq: 9, committed: [] }))
    expect(ownReceived).toEqual(['queue', { id, seq: 9 }])
    sender.publish('log', { id, seq: 7 })
    sender.publish('status', { id })
    sender.publish('queue', {})
    sender.publish('revoked', { id })
    await waitFor(() => expect(received).toHaveLength(5))
    expect(received.slice(1)).toEqual([
      ['log', { id, seq: 7 }],
      ['status', { id }],
      ['queue', {}],
      ['revoked', { id }],
    ])
  })

  it('send a burst of messages in one statement, and only the latest of each log', async () => {
    const { received } = await openReplica()
    for (let seq = 1; seq <= 500; seq += 1) sender.publish('log', { id, seq })
    await waitFor(() => expect(received.at(-1)).toEqual(['log', { id, seq: 500 }]))
    expect(received.length).toBeLessThan(5)
  })

  it('use one pooled connection at a time: messages are batched while a statement runs', async () => {
    const count = { running: 0, mostRunning: 0, statements: 0 }
    let release = () => {}
    const released = new Promise<void>((resolve) => (release = resolve))
    const slow = createChannels({
      async query() {
        count.statements += 1
        count.mostRunning = Math.max(count.mostRunning, ++count.running)
        await released
        count.running -= 1
        return []
      },
    })
    slow.publish('queue', {})
    await waitFor(() => expect(count.running).toBe(1))
    // Several times longer than the batching delay.
    const startedMs = performance.now()
    for (let seq = 1; performance.now() - startedMs < 60; seq += 1) {
      slow.publish('log', { id, seq })
      await new Promise(setImmediate)
    }
    release()
    await slow.close()
    expect(count).toEqual({ running: 0, mostRunning: 1, statements: 2 })
  })

  it('send pending messages on close', async () => {
    const { received } = await openReplica()
    sender.publish('log', { id, seq: 1 })
    sender.publish('queue', {})
    await sender.close()
    await waitFor(() => expect(received).toContainEqual(['queue', {}]))
  })

  it('report missed messages once after each reconnect', async () => {
    const { received, missed } = await openReplica()
    for (let round = 2; round <= 3; round += 1) {
      await proxy.down()
      await database.query('select pg_notify($1, $2)', [
        postgresChannel,
        JSON.stringify({ origin: 'another', channel: 'log', id, seq: round }),
      ])
      await proxy.up()
      await waitFor(() => expect(missed()).toBe(round))
    }
    expect(received.filter(([kind]) => kind === 'log')).toEqual([])
    sender.publish('log', { id, seq: 9 })
    await waitFor(() => expect(received.at(-1)).toEqual(['log', { id, seq: 9 }]))
  })

  it('reconnect soon after the connection became silent', async () => {
    const { received, missed, errors } = await openReplica(200)
    proxy.stall()
    await waitFor(() => expect(missed()).toBe(2))
    expect(errors.length).toBeGreaterThan(0)
    sender.publish('queue', {})
    await waitFor(() => expect(received.at(-1)).toEqual(['queue', {}]))
  })
})
