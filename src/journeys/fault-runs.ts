// Runs that meet faults of the stand-in, one after the other in one world. Each outcome is compared
// with the promised one.

import { expect } from 'vitest'
import { secretsIn } from '../sandbox/presenton/faults/model-failures.ts'
import { type FaultName, paces, type Shape, type Spend } from '../sandbox/presenton/stand-in.ts'
import { waitFor } from '../sandbox/wait-for.ts'
import { readLog } from './event-log-rules.ts'
import { effectOf, operationOf } from './fault-effects.ts'
import { expectedOutcome } from './fault-outcomes.ts'
import { upstreamOptions } from './upstream-options.ts'
import { brief, type Presentation } from './user.ts'
import { openWorld, type World, type WorldOptions } from './world.ts'

export type FaultRunner = Awaited<ReturnType<typeof openFaultRunner>>

/** Skips the delays between attempts, and records them in ms. */
function createTiming() {
  const delaysMs: number[] = []
  return {
    delaysMs,
    timing: {
      random: () => 0.5,
      sleep: (ms: number, signal?: AbortSignal) => {
        delaysMs.push(ms)
        return signal?.aborted ? Promise.reject(signal.reason) : Promise.resolve()
      },
    },
  }
}

export async function openFaultRunner(shape: Shape, env: WorldOptions['env'] = {}) {
  const { delaysMs, timing } = createTiming()
  const upstream = upstreamOptions(shape)
  const world = await openWorld({
    ...upstream,
    timing,
    // Few and large chunks: the size of chunks does not matter here.
    pace: { ...paces.fast, chunkChars: 200 },
    env: {
      ...upstream.env,
      // No fault opens the circuit for the next run.
      BREAKER_MIN_CALLS: '1000000',
      DATABASE_POOL_MAX: '3',
      MAX_FILE_MIB: '2',
      LOG_LEVEL: 'warn',
      ...env,
    },
  })
  const user = await world.createUser()
  const { presenton } = world

  /** Runs a brief that meets each of the faults `times` times, and checks its outcome. */
  async function runWithFaults(names: readonly FaultName[], times = 1): Promise<void> {
    const spendBefore = { ...presenton.spend }
    const injectedBefore = presenton.faults.injected.length
    delaysMs.length = 0
    presenton.faults.clear()
    for (const name of names) presenton.faults.inject(name, { times })
    const { id } = await user.submit({ ...brief, n_slides: 3 })
    const events = await (await user.subscribe(id)).rest()
    const log = readLog(events)
    const presentation = await user.read(id)

    const statuses = log.statuses.filter(({ code }) => code !== undefined)
    expect({
      stages: log.stages,
      statuses: statuses.map(({ stage, code }) => [stage, code]),
      spent: subtract(presenton.spend, spendBefore),
      code: log.terminal.code,
    }).toEqual(expectedOutcome(names, shape, times))
    const injected = new Set(presenton.faults.injected.slice(injectedBefore))
    expect([...injected].sort()).toEqual([...names].sort())
    expect(statuses.map(({ retry_in_seconds }) => retry_in_seconds)).toEqual(
      delaysMs.map((ms) => Math.ceil(ms / 1000)),
    )
    checkResult(log, presentation, world)
    const logLines = world.gateways.map(({ logs }) => logs)
    expect(secretsIn(JSON.stringify([events, presentation, logLines]))).toEqual([])
    for (const gateway of world.gateways) gateway.logs.length = 0
    await waitFor(() => expect(presenton.openRequests).toBe(0))
  }

  async function close(): Promise<void> {
    await world.expectNoLeaks().finally(world.close)
  }

  return { runWithFaults, close }
}

function checkResult(
  log: ReturnType<typeof readLog>,
  presentation: Presentation,
  { presenton }: World,
): void {
  const { code, detail, retryable, presentation: completed } = log.terminal
  if (code !== undefined) {
    expect(presentation).toMatchObject({
      status: 'failed',
      error: { code, detail, retryable },
      files: [],
    })
    return
  }
  expect(presentation).toMatchObject({
    status: 'completed',
    error: null,
    progress: 1,
    slides_done: log.outlines?.outlines.length,
  })
  expect(log.slides).toHaveLength(log.outlines?.outlines.length ?? 0)
  expect(completed).toMatchObject({ id: presentation.presenton_presentation_id })
  const deck = presenton.decks.get(completed.id)
  expect(log.slides?.map(({ id }) => id)).toEqual(deck?.slides.map(({ id }) => id))
  expect(deck?.slides.map(({ index }) => index)).toEqual(deck?.slides.map((_, index) => index))
  expect(log.stored).toHaveLength(1)
}

function subtract(after: Spend, before: Spend): Spend {
  return {
    outlines: after.outlines - before.outlines,
    prepares: after.prepares - before.prepares,
    slideStreams: after.slideStreams - before.slideStreams,
    exports: after.exports - before.exports,
  }
}

/**
 * Groups faults so that one run meets several of them. At each operation a run meets at most one
 * outage, then one failure, then one fault without effect.
 */
export function combineFaults(names: readonly FaultName[], shape: Shape): FaultName[][] {
  const groups: FaultName[][] = []
  const order = ['outage', 'failure', 'none']
  const kindOf = (name: FaultName) => {
    const effect = effectOf(name, shape)
    return order.includes(effect) ? effect : 'failure'
  }
  for (const kind of order) {
    const nextGroup: Partial<Record<string, number>> = {}
    for (const name of names.filter((one) => kindOf(one) === kind)) {
      const operation = operationOf(name) as string
      let index = nextGroup[operation] ?? 0
      // Once upstream has saved the slides, the run makes no further call for slides.
      while (
        groups[index]?.some(
          (one) => operationOf(one) === operation && effectOf(one, shape) === 'slides saved',
        )
      )
        index += 1
      nextGroup[operation] = index + 1
      groups[index] = [...(groups[index] ?? []), name]
    }
  }
  return groups
}
