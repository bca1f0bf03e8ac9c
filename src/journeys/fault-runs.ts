// A lane: a world of one shape in which runs meet faults, one run after the other, and each is held
// against the table.

import { expect, vi } from 'vitest'
import { secretsIn } from '../sandbox/presenton/faults/model-failures.ts'
import { type FaultName, paces, type Shape, type Spend } from '../sandbox/presenton/stand-in.ts'
import { readLog } from './event-log-rules.ts'
import { effectOf, expectedOutcome, hasLogin, operationOf } from './fault-outcomes.ts'
import { brief, type Presentation } from './user.ts'
import { openWorld, type World, type WorldOptions } from './world.ts'

export type FaultRunner = Awaited<ReturnType<typeof openFaultRunner>>

/** Waits between attempts pass at once; what they would have been is kept. */
function createWaits() {
  const waited: number[] = []
  return {
    waited,
    timing: {
      random: () => 0.5,
      sleep: (ms: number, signal?: AbortSignal) => {
        waited.push(ms)
        return signal?.aborted ? Promise.reject(signal.reason) : Promise.resolve()
      },
    },
  }
}

const password = 'a password of the gateway'
const apiKey = `sk-presenton-${'5eed'.repeat(10)}`

/**
 * The upstream and the credentials that go with a shape: none, Basic, a key, a login with a cookie.
 */
export function upstreamOptions(shape: Shape): WorldOptions {
  if (shape === 'A1') return { shape }
  const credentials = { username: 'gateway', password }
  if (!hasLogin(shape))
    return { shape, credentials, apiKeys: [apiKey], env: { PRESENTON_API_KEY: apiKey } }
  return {
    shape,
    credentials,
    env: { PRESENTON_USERNAME: credentials.username, PRESENTON_PASSWORD: password },
  }
}

export async function openFaultRunner(shape: Shape, env: WorldOptions['env'] = {}) {
  const { waited, timing } = createWaits()
  const upstream = upstreamOptions(shape)
  const world = await openWorld({
    ...upstream,
    timing,
    // Few and large pieces of text: how they are cut is not what is looked at here.
    pace: { ...paces.fast, chunkChars: 200 },
    // Wide enough that no fault here opens the circuit for the next run.
    env: {
      ...upstream.env,
      BREAKER_MIN_CALLS: '1000000',
      DATABASE_POOL_MAX: '3',
      MAX_FILE_MIB: '2',
      LOG_LEVEL: 'warn',
      ...env,
    },
  })
  const user = await world.createUser()
  const { presenton } = world

  /** One run that meets each of the faults `times` times, from its brief to its end. */
  async function runWithFaults(names: readonly FaultName[], times = 1): Promise<void> {
    const before = { ...presenton.spend }
    const injectedBefore = presenton.faults.injected.length
    waited.length = 0
    presenton.faults.clear()
    for (const name of names) presenton.faults.inject(name, { times })
    const { id } = await user.submit({ ...brief, n_slides: 3 })
    const events = await (await user.subscribe(id)).rest()
    const log = readLog(events)
    const row = await user.read(id)

    const expected = expectedOutcome(names, shape, times)
    const statuses = log.statuses.filter(({ code }) => code !== undefined)
    expect({
      stages: log.stages,
      statuses: statuses.map(({ stage, code }) => [stage, code]),
      spent: difference(presenton.spend, before),
      code: log.terminal.code,
    }).toEqual(expected)
    const injected = new Set(presenton.faults.injected.slice(injectedBefore))
    expect([...injected].sort()).toEqual([...names].sort())
    expect(statuses.map(({ retry_in_seconds }) => retry_in_seconds)).toEqual(
      waited.map((ms) => Math.ceil(ms / 1000)),
    )
    checkEnd(log, row, world)
    expect(
      secretsIn(JSON.stringify([events, row, world.gateways.map(({ logs }) => logs)])),
    ).toEqual([])
    for (const gateway of world.gateways) gateway.logs.length = 0
    await vi.waitFor(() => expect(presenton.openRequests).toBe(0), { interval: 2 })
  }

  /** After the last run: nothing is left of any. */
  async function close(): Promise<void> {
    await world.expectNoLeaks().finally(world.close)
  }

  return { shape, world, user, runWithFaults, close }
}

function checkEnd(log: ReturnType<typeof readLog>, row: Presentation, { presenton }: World): void {
  const { code, detail, retryable, presentation } = log.terminal
  if (code !== undefined) {
    expect(row).toMatchObject({ status: 'failed', error: { code, detail, retryable }, files: [] })
    return
  }
  expect(row).toMatchObject({
    status: 'completed',
    error: null,
    progress: 1,
    slides_done: log.outlines?.outlines.length,
  })
  expect(log.slides).toHaveLength(log.outlines?.outlines.length ?? 0)
  expect(presentation).toMatchObject({ id: row.presenton_presentation_id })
  const deck = presenton.decks.get(presentation.id)
  expect(log.slides?.map(({ id }) => id)).toEqual(deck?.slides.map(({ id }) => id))
  expect(deck?.slides.map(({ index }) => index)).toEqual(deck?.slides.map((_, index) => index))
  expect(log.stored).toHaveLength(1)
}

function difference(after: Spend, before: Spend): Spend {
  return {
    outlines: after.outlines - before.outlines,
    prepares: after.prepares - before.prepares,
    slideStreams: after.slideStreams - before.slideStreams,
    exports: after.exports - before.exports,
  }
}

/**
 * Bundles faults, so that a run meets several, as on a real bad day: at each operation at most one
 * that is waited out, one that is tried again, and one that does nothing, in this order.
 */
export function combineFaults(names: readonly FaultName[], shape: Shape): FaultName[][] {
  const bundles: FaultName[][] = []
  const order = ['outage', 'fault', 'nothing']
  const kindOf = (name: FaultName) => {
    const meaning = effectOf(name, shape)
    return order.includes(meaning) ? meaning : 'fault'
  }
  for (const kind of order) {
    const filled: Partial<Record<string, number>> = {}
    for (const name of names.filter((one) => kindOf(one) === kind)) {
      const operation = operationOf(name) as string
      let index = filled[operation] ?? 0
      // After slides that upstream has kept, no more are asked for.
      while (
        bundles[index]?.some(
          (one) => operationOf(one) === operation && effectOf(one, shape) === 'kept',
        )
      )
        index += 1
      filled[operation] = index + 1
      bundles[index] = [...(bundles[index] ?? []), name]
    }
  }
  return bundles
}
