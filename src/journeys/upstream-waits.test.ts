// Waits for upstream that others or operators have to end: revoked credentials, and limits of the
// model. No attempt is burnt, operators are told, and a run that waits holds no slot that others
// need.

import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import type { FaultName } from '../sandbox/presenton/stand-in.ts'
import { waitFor } from '../sandbox/wait-for.ts'
import { readLog } from './event-log-rules.ts'
import { upstreamOptions } from './upstream-options.ts'
import { brief, type User } from './user.ts'
import { openWorld, type World, type WorldOptions } from './world.ts'

let world: World
afterEach(async () => {
  await world.expectNoLeaks()
  await world.close()
})

const allStages = ['create', 'outlines', 'prepare', 'slides', 'export', 'store']
const oneSlideBrief = { ...brief, n_slides: 1 }
const forever = { times: Number.POSITIVE_INFINITY }

async function open(options: WorldOptions = {}) {
  world = await openWorld({
    shape: 'B1',
    timing: {
      random: () => 0.5,
      // Waits are 500 times shorter.
      sleep: (ms, signal) => sleep(ms / 500, undefined, signal ? { signal } : {}),
    },
    ...options,
    env: { BREAKER_MIN_CALLS: '1000000', ...options.env },
  })
  return world.createUser()
}

const health = async () => (await fetch(`${world.url}/health`)).json()
const burnt = async () =>
  (
    await world.query<{ n: number }>(
      `select count(*)::int as n from gateway.presentations where failures::text <> '{}' or takeovers > 0`,
    )
  )[0]?.n

/** Holds the stage `prepare`, and returns the deck that waits there. */
async function holdAtPrepare(user: User) {
  world.presenton.gates.hold('prepare')
  const { id } = await user.submit(oneSlideBrief)
  await world.presenton.gates.arrived('prepare')
  return { id, deckId: (await user.read(id)).presenton_presentation_id as string }
}

test('revoked credentials hold the queue, and all runs complete once they work again', async () => {
  const options = upstreamOptions('B1')
  const user = await open({ ...options, env: { ...options.env, MAX_RUNNING: '2' } })
  const key = options.apiKeys?.[0] ?? ''
  world.presenton.revokeKey(key)
  const accepted = await Promise.all(Array.from({ length: 5 }, () => user.submit(oneSlideBrief)))
  await waitFor(async () =>
    expect(await health()).toMatchObject({
      status: 'degraded',
      checks: {
        presenton: { reason: 'credentials_refused', variable: 'PRESENTON_API_KEY' },
      },
    }),
  )
  // No run could go on, so the two that run stay where they are.
  const running = await world.query(`select 1 from gateway.presentations where status = 'running'`)
  expect(running).toHaveLength(2)
  world.presenton.restoreKey(key)
  for (const { id } of accepted) {
    expect(await user.waitUntilSettled(id)).toMatchObject({ status: 'completed' })
    const log = readLog(await (await user.subscribe(id)).rest())
    expect(log.stages).toEqual(allStages)
  }
  expect(await burnt()).toBe(0)
  expect(await health()).toMatchObject({ status: 'ok' })
})

test('an outage of one deck does not hold the only slot', async () => {
  const user = await open({ env: { MAX_RUNNING: '1' } })
  const first = await holdAtPrepare(user)
  world.presenton.faults.inject('prepare:503', { ...forever, deckId: first.deckId })
  const reader = await user.subscribe(first.id)
  const other = await (await world.createUser()).submit(oneSlideBrief)
  const before = await user.read(first.id)
  world.presenton.gates.release('prepare')

  const queued = await waitFor(async () => {
    const read = await user.read(first.id)
    expect(read).toMatchObject({ status: 'queued', stage: 'prepare', queue_position: 1 })
    return read
  })
  expect(queued.progress).toBeGreaterThanOrEqual(before.progress as number)
  await waitFor(async () => {
    const [row] = await world.query('select status from gateway.presentations where id = $1', [
      other.id,
    ])
    expect(row?.status).toBe('completed')
  })
  world.presenton.faults.clear()
  expect(await user.waitUntilSettled(first.id)).toMatchObject({ status: 'completed' })
  const log = readLog(await reader.rest())
  expect(log.stages).toEqual(['create', 'outlines', 'prepare', ...allStages.slice(2)])
  expect(log.statuses.some(({ status }) => status.includes('queued again'))).toBe(true)
  expect(await burnt()).toBe(0)
})

test('a run that gave up its slot can be cancelled, retried and deleted in the queue', async () => {
  const user = await open({ env: { MAX_RUNNING: '1', MAX_RUNNING_PER_USER: '1' } })
  const first = await holdAtPrepare(user)
  world.presenton.faults.inject('prepare:503', { ...forever, deckId: first.deckId })
  const second = await user.submit(oneSlideBrief)
  world.presenton.gates.release('prepare')
  // The other run holds the slot from now on.
  world.presenton.gates.hold('create')
  const hasStatus = async (status: string) =>
    expect(await user.read(first.id)).toMatchObject({ status })
  await waitFor(() => hasStatus('queued'))
  const cancel = await user.api(`/presentations/${first.id}/cancel`, { method: 'POST' })
  expect(cancel).toMatchObject({ status: 202, body: { status: 'cancelled' } })
  const retry = await user.api(`/presentations/${first.id}/retry`, { method: 'POST' })
  expect(retry).toMatchObject({ status: 202, body: { status: 'queued' } })
  const [row] = await world.query('select resume_after from gateway.presentations where id = $1', [
    first.id,
  ])
  expect(row).toEqual({ resume_after: null })
  expect(await user.api(`/presentations/${first.id}`, { method: 'DELETE' })).toMatchObject({
    status: 204,
  })
  world.presenton.gates.releaseAll()
  expect(await user.waitUntilSettled(second.id)).toMatchObject({ status: 'completed' })
})

test.each<[FaultName, string]>([
  ['outlines:error-429', 'outlines'],
  ['prepare:model-429', 'prepare'],
  ['slides:429', 'slides'],
])('a limit of the model is waited out without an attempt: %s', async (name, stage) => {
  const user = await open()
  world.presenton.faults.inject(name, { times: 4, at: 1 })
  const { id } = await user.submit(oneSlideBrief)
  await waitFor(() => {
    const lines = world.gateways.flatMap(({ logs }) => logs)
    expect(lines.some((line) => /"part":"model".*"limit_reached"/.test(line))).toBe(true)
  })
  const log = readLog(await (await user.subscribe(id)).rest())
  expect(log.terminal.type).toBe('complete')
  // Each start is visible.
  expect(log.stages).toEqual(
    allStages.flatMap((one) => (one === stage ? Array(5).fill(one) : [one])),
  )
  expect(log.statuses.filter(({ code }) => code)).toHaveLength(4)
  for (const { code, status, retry_in_seconds: seconds } of log.statuses.filter(
    ({ code }) => code,
  )) {
    expect(code).toBe('UPSTREAM_ERROR')
    expect(status).toContain('at its limit')
    expect(seconds).toBeGreaterThanOrEqual(1)
  }
  expect(await burnt()).toBe(0)
  expect(await health()).toMatchObject({ status: 'ok' })
})

test('a limit without end burns attempts after ten minutes and ends the run', async () => {
  const user = await open()
  world.presenton.faults.inject('outlines:error-429', { ...forever, at: 1 })
  const { id } = await user.submit(oneSlideBrief)
  const log = readLog(await (await user.subscribe(id)).rest())
  expect(log.terminal).toMatchObject({ code: 'UPSTREAM_ERROR', retryable: true })
  const [row] = await world.query(
    'select limit_waits_ms from gateway.presentations where id = $1',
    [id],
  )
  expect(row).toEqual({ limit_waits_ms: { outlines: 600_000 } })
  expect(await health()).toMatchObject({
    status: 'degraded',
    checks: { model: { reason: 'limit_reached', variable: 'MAX_RUNNING' } },
  })
})

test.each<[string, number, number, string]>([
  // The same deck: upstream had made nothing.
  ['before the first slide costs no stream', 1, 4, 'complete'],
  // A fresh deck each time, and at most three streams.
  ['after a slide costs a stream each time', 2, 3, 'error'],
])('a limit of the slides %s', async (_, at, streams, end) => {
  const user = await open()
  world.presenton.faults.inject('slides:error-429', { times: 3, at })
  const { id } = await user.submit(brief)
  const log = readLog(await (await user.subscribe(id)).rest())
  expect(log.terminal.type).toBe(end)
  expect(log.stages.filter((stage) => stage === 'slides')).toHaveLength(streams)
  expect(world.presenton.decks.size).toBe(at === 1 ? 1 : 3)
  expect(await burnt()).toBe(0)
})
