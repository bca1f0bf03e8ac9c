// Presenton is away: runs wait and say so, nothing is burnt or paid, everybody who asks is told
// when to come again, and it goes on by itself.

import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import type { FaultName } from '../sandbox/presenton/stand-in.ts'
import { readLog } from './event-log-rules.ts'
import { openWorld, type World } from './world.ts'

let world: World
let onWait: (ms: number) => void = () => undefined
beforeAll(async () => {
  world = await openWorld({
    shape: 'B1',
    env: { BREAKER_MIN_CALLS: '3', BREAKER_RESET_SECONDS: '1', LOG_LEVEL: 'error' },
    waits: {
      random: () => 1,
      // Hours are minutes here, and seconds an instant.
      sleep: (ms, signal) => {
        onWait(ms)
        return sleep(ms / 500, undefined, signal ? { signal } : {})
      },
    },
  })
})
afterEach(() => world.expectNothingLeft())
afterAll(() => world.close())

const plainWay = ['create', 'outlines', 'prepare', 'slides', 'export', 'store']
const breakerIs = async (state: string) =>
  (await (await fetch(`${world.url}/metrics`)).text()).includes(
    `gateway_breaker_state{state="${state}"} 1`,
  )

test('an open circuit is seen by everybody, and closes by itself', async () => {
  const user = await world.user()
  await world.presenton.faults.down()
  const { id } = await user.accept()
  const reader = await user.follow(id)
  await vi.waitFor(async () => expect(await breakerIs('open')).toBe(true), { interval: 5 })

  const templates = await user.api('/templates')
  expect(templates).toMatchObject({ status: 503, body: { code: 'UPSTREAM_UNAVAILABLE' } })
  expect(Number(templates.headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
  const ready = await fetch(`${world.url}/health/ready`)
  expect(ready.status).toBe(200)
  expect(await ready.json()).toMatchObject({
    status: 'degraded',
    checks: { presenton: { status: 'unavailable' } },
  })
  // Whatever the circuit's state, a brief is taken.
  const second = await user.accept()

  await world.presenton.faults.up()
  const log = readLog(await reader.rest())
  expect(log.stages).toEqual(plainWay)
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
  expect(await user.settled(second.id)).toMatchObject({ status: 'completed' })
  expect(await breakerIs('closed')).toBe(true)
  expect(world.presenton.decks.size).toBe(2)
})

test.each<FaultName>(['outlines:503', 'slides:503'])(
  'an hour of %s burns no attempt and no money',
  async (name) => {
    const patient = await openWorld({
      ...{ shape: 'A1', env: { BREAKER_MIN_CALLS: '1000000', LOG_LEVEL: 'error' } },
      waits: {
        random: () => 1,
        sleep: async (ms) => {
          waitedMs += ms
          // The hour is over.
          if (waitedMs >= 3_600_000) patient.presenton.faults.clear()
        },
      },
    })
    let waitedMs = 0
    try {
      const user = await patient.user()
      patient.presenton.faults.inject(name, { times: Number.POSITIVE_INFINITY })
      const { id } = await user.accept()
      const log = readLog(await (await user.follow(id)).rest())
      expect(log.terminal.type).toBe('complete')
      expect(log.stages).toEqual(plainWay)
      expect(waitedMs).toBeLessThan(3_600_000 + 30_000)
      expect(patient.presenton.spend).toEqual({
        outlines: 1,
        prepares: 1,
        slideStreams: 1,
        exports: 1,
      })
      await patient.expectNothingLeft()
    } finally {
      await patient.close()
    }
  },
)

test('a refused connection, a 502 and a 504 are waited out alike; the wait is told in whole seconds', async () => {
  const waits: number[] = []
  onWait = (ms) => waits.push(ms)
  const user = await world.user()
  for (const name of ['create:502', 'prepare:504'] as const) world.presenton.faults.inject(name)
  const { id } = await user.accept()
  const log = readLog(await (await user.follow(id)).rest())
  expect(log.stages).toEqual(plainWay)
  const told = log.statuses
    .filter(({ code }) => code)
    .map(({ stage, retry_in_seconds: seconds }) => [stage, seconds])
  expect(told).toEqual([
    ['create', Math.ceil(waits[0]! / 1000)],
    ['prepare', Math.ceil(waits[1]! / 1000)],
  ])
  onWait = () => undefined
})
