// A rolling restart: every replica behind a round-robin proxy is replaced, one after the other,
// while many streams are open and runs are in every stage.

import { afterAll, beforeAll, expect, test } from 'vitest'
import { type LoadBalancer, openLoadBalancer } from '../sandbox/load-balancer.ts'
import { createClient } from './chaos/client.ts'
import { createRandom } from './chaos/random.ts'
import { readEvents } from './chaos/read-events.ts'
import { createReport } from './chaos/report.ts'
import type { Scenario } from './chaos/scenario.ts'
import { verify } from './chaos/verify.ts'
import { type ChaosWorld, openChaosWorld } from './chaos/world.ts'

const presentations = 20
const readersOfEach = 10

let world: ChaosWorld
let front: LoadBalancer
beforeAll(async () => {
  world = await openChaosWorld({
    env: {
      // No deadline passes on a busy machine, so every failure is one of the restart.
      SHUTDOWN_GRACE_SECONDS: '60',
      DRAIN_SECONDS: '60',
      LEASE_SECONDS: '60',
      CREATE_TIMEOUT_SECONDS: '60',
      PREPARE_TIMEOUT_SECONDS: '60',
      EXPORT_TIMEOUT_SECONDS: '60',
      STREAM_STALL_SECONDS: '60',
      SSE_HEARTBEAT_SECONDS: '1',
    },
  })
  front = await openLoadBalancer(() => world.urls().map((url) => Number(new URL(url).port)))
})
afterAll(async () => {
  await front?.close()
  await world?.close()
})

test('every subscriber can reconnect, and no run fails, is taken over or is paid for twice', async () => {
  const random = createRandom(7)
  const report = createReport()
  const urls = () => [front.url]
  const client = createClient({
    userId: 'alice',
    token: await world.sign({ sub: 'alice' }),
    urls,
    random: random.fork(),
  })
  let isOver = false
  const scenarios: Scenario[] = []
  for (let n = 0; n < presentations; n += 1) {
    const body = {
      content: 'We agreed to write better invoices before we hire people.',
      n_slides: 5,
    }
    const accepted = await client.request('/presentations', {
      method: 'POST',
      body,
      key: `brief-${n}`,
    })
    expect(accepted.status).toBe(202)
    const { id } = accepted.body as { id: string }
    const reader = () =>
      readEvents({
        id,
        token: client.token,
        urls,
        random: random.fork(),
        report,
        isOver: () => isOver,
        disconnectProbability: 0,
      })
    const received = Array.from({ length: readersOfEach }, reader)
    scenarios.push({
      id,
      client,
      received,
      followed: [],
      isDeleted: false,
      isRetried: false,
      deck: undefined,
      edits: { accepted: 0, kept: 0 },
      finish: () => (isOver = true),
    })
  }

  for (const index of world.replicas.keys()) {
    const old = world.replicas[index]?.gateway
    old?.child.kill('SIGTERM')
    expect(await old?.exited).toEqual({ code: 0, signal: null })
    world.replicas[index] = undefined
    await world.start(index)
  }
  for (const { id } of scenarios) {
    let { body } = await client.request(`/presentations/${id}?wait=5`)
    while (!['completed', 'failed'].includes(body.status))
      body = (await client.request(`/presentations/${id}?wait=5`)).body
    expect(body).toMatchObject({ status: 'completed', error: null })
  }
  isOver = true
  await verify(world, scenarios, report)
  expect(report.violations).toEqual([])
  expect(report.counts['reconnects']).toBeGreaterThan(readersOfEach)
  const [row] = await world.query<{ takeovers: number }>(
    'select sum(takeovers)::int as takeovers from gateway.presentations',
  )
  expect(row?.takeovers).toBe(0)
  // Draining finishes paid upstream calls, so none is repeated.
  const { outlines, slideStreams } = world.presenton.spend
  expect({ outlines, slideStreams }).toEqual({
    outlines: presentations,
    slideStreams: presentations,
  })
}, 300_000)
