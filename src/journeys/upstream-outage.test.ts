// An outage of Presenton: runs wait and report it, no attempt or paid call is lost, responses have
// `Retry-After`, and runs continue without help once Presenton is back.

import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { FaultName } from '../sandbox/presenton/stand-in.ts'
import { waitFor } from '../sandbox/wait-for.ts'
import { readLog } from './event-log-rules.ts'
import { openWorld, type World } from './world.ts'

let world: World
let onWait: (ms: number) => void = () => undefined
beforeAll(async () => {
  world = await openWorld({
    shape: 'B1',
    env: { BREAKER_MIN_CALLS: '3', BREAKER_RESET_SECONDS: '1', LOG_LEVEL: 'error' },
    timing: {
      random: () => 1,
      // Waits are 500 times shorter.
      sleep: (ms, signal) => {
        onWait(ms)
        return sleep(ms / 500, undefined, signal ? { signal } : {})
      },
    },
  })
})
afterEach(() => world.expectNoLeaks())
afterAll(() => world.close())

const allStages = ['create', 'outlines', 'prepare', 'slides', 'export', 'store']
const isCircuit = async (state: string) =>
  (await (await fetch(`${world.url}/metrics`)).text()).includes(
    `gateway_breaker_state{state="${state}"} 1`,
  )

test('an open circuit shows in responses, health, metrics and events, and closes after the outage', async () => {
  const user = await world.createUser()
  await world.presenton.faults.down()
  const { id } = await user.submit()
  const reader = await user.subscribe(id)
  await waitFor(async () => expect(await isCircuit('open')).toBe(true))

  const templates = await user.api('/templates')
  expect(templates).toMatchObject({ status: 503, body: { code: 'UPSTREAM_UNAVAILABLE' } })
  expect(Number(templates.headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
  const ready = await fetch(`${world.url}/health/ready`)
  expect(ready.status).toBe(200)
  expect(await ready.json()).toMatchObject({
    status: 'degraded',
    checks: { presenton: { status: 'unavailable' } },
  })
  // A brief is accepted in every state of the circuit.
  const second = await user.submit()

  await world.presenton.faults.up()
  const log = readLog(await reader.rest())
  expect(log.stages).toEqual(allStages)
  expect(log.terminal.type).toBe('complete')
  for (const status of log.statuses.filter(({ code }) => code)) {
    expect(status).toMatchObject({
      code: 'UPSTREAM_UNAVAILABLE',
      stage: 'create',
      status: expect.any(String),
    })
    expect(status.retry_in_seconds).toBeGreaterThanOrEqual(1)
    expect(status.retry_in_seconds).toBeLessThanOrEqual(30)
  }
  expect(await user.waitUntilSettled(second.id)).toMatchObject({ status: 'completed' })
  expect(await isCircuit('closed')).toBe(true)
  expect(world.presenton.decks.size).toBe(2)
})

test.each<FaultName>(['outlines:503', 'slides:503'])(
  'an hour of %s costs no attempt and no paid call',
  async (name) => {
    let waitedMs = 0
    const ownWorld = await openWorld({
      shape: 'A1',
      env: { BREAKER_MIN_CALLS: '1000000', LOG_LEVEL: 'error' },
      timing: {
        random: () => 1,
        sleep: async (ms) => {
          waitedMs += ms
          // The outage ends after an hour of waits.
          if (waitedMs >= 3_600_000) ownWorld.presenton.faults.clear()
        },
      },
    })
    try {
      const user = await ownWorld.createUser()
      ownWorld.presenton.faults.inject(name, { times: Number.POSITIVE_INFINITY })
      const { id } = await user.submit()
      const log = readLog(await (await user.subscribe(id)).rest())
      expect(log.terminal.type).toBe('complete')
      expect(log.stages).toEqual(allStages)
      expect(waitedMs).toBeLessThan(3_600_000 + 30_000)
      expect(ownWorld.presenton.spend).toEqual({
        outlines: 1,
        prepares: 1,
        slideStreams: 1,
        exports: 1,
      })
      await ownWorld.expectNoLeaks()
    } finally {
      await ownWorld.close()
    }
  },
)

test('waits out a 502 and a 504, and reports each wait in whole seconds', async () => {
  const waits: number[] = []
  onWait = (ms) => waits.push(ms)
  const user = await world.createUser()
  for (const name of ['create:502', 'prepare:504'] as const) world.presenton.faults.inject(name)
  const { id } = await user.submit()
  const log = readLog(await (await user.subscribe(id)).rest())
  expect(log.stages).toEqual(allStages)
  const reported = log.statuses
    .filter(({ code }) => code)
    .map(({ stage, retry_in_seconds: seconds }) => [stage, seconds])
  expect(reported).toEqual([
    ['create', Math.ceil(waits[0]! / 1000)],
    ['prepare', Math.ceil(waits[1]! / 1000)],
  ])
  onWait = () => undefined
})
