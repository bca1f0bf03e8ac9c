// The disruptions, in two independent sequences: one for the replicas, one for their dependencies.
// Within a sequence each disruption is repaired before the next one starts.

import { setTimeout as delay } from 'node:timers/promises'
import { type FaultName, faultNames } from '../../sandbox/presenton/stand-in.ts'
import type { Random } from './random.ts'
import type { Report } from './report.ts'
import type { ChaosWorld } from './world.ts'

interface Disruption {
  /** Relative frequency. */
  weight: number
  /** Name of its count in the report. Without one, `run` counts itself. */
  count?: string
  run(world: ChaosWorld, random: Random, report: Report): Promise<void>
}

/**
 * The drain, the timeouts for releasing leases without a database, and the same again for a busy
 * machine.
 */
const shutdownLimitMs = 32_000

const pause = (random: Random, maxMs = 2_500) => delay(random.between(50, maxMs))

/** Faults that a run survives with a retry or a wait. A few may still end a run. */
const temporaryFaults = faultNames.filter((name) =>
  /:(reset|502|503|500|reply-lost|cut|saved-cut|ends|cut-before-complete|saved-no-complete|short|truncated|error-500|stall-half-way)$/.test(
    name,
  ),
)

function pickReplica({ replicas }: ChaosWorld, random: Random) {
  const index = random.between(0, replicas.length - 1)
  return { index, replica: replicas[index] }
}

const replicaDisruptions: Disruption[] = [
  {
    weight: 4,
    count: 'kills',
    async run(world, random, report) {
      const { index, replica } = pickReplica(world, random)
      if (!replica) return
      report.note(`kill -9 of replica ${index}`)
      world.replicas[index] = undefined
      await replica.gateway.kill()
      await pause(random, 1_500)
      await world.start(index)
    },
  },
  {
    weight: 4,
    count: 'pauses',
    async run(world, random, report) {
      const { index, replica } = pickReplica(world, random)
      if (!replica) return
      report.note(`SIGSTOP to replica ${index}`)
      replica.isPaused = true
      await replica.gateway.kill('SIGSTOP')
      await pause(random, 5_000)
      await replica.gateway.kill('SIGCONT')
      replica.isPaused = false
      report.note(`SIGCONT to replica ${index}`)
    },
  },
  {
    weight: 4,
    count: 'restarts',
    async run(world, random, report) {
      const { index, replica } = pickReplica(world, random)
      if (!replica) return
      report.note(`SIGTERM to replica ${index}`)
      const startedMs = performance.now()
      replica.gateway.child.kill('SIGTERM')
      const exit = await Promise.race([replica.gateway.exited, delay(shutdownLimitMs)])
      world.replicas[index] = undefined
      const elapsedMs = Math.round(performance.now() - startedMs)
      report.note(`replica ${index}: ${JSON.stringify(exit) ?? 'no exit'} after ${elapsedMs} ms`)
      if (exit?.code !== 0)
        report.violate(`replica ${index}`, `after SIGTERM: ${JSON.stringify(exit) ?? 'no exit'}`)
      await replica.gateway.kill()
      await world.start(index)
    },
  },
]

function restartOfPostgres(
  weight: number,
  count: string,
  note: string,
  stop: (postgres: ChaosWorld['postgres']) => Promise<unknown>,
): Disruption {
  return {
    weight,
    count,
    async run({ postgres }, random, report) {
      report.note(note)
      await stop(postgres)
      await pause(random)
      await postgres.start()
      report.note('Postgres has started')
    },
  }
}

const dependencyDisruptions: Disruption[] = [
  restartOfPostgres(2, 'Postgres restarts', 'Postgres stops', (postgres) => postgres.stop()),
  restartOfPostgres(1, 'Postgres crashes', 'kill -9 of Postgres', (postgres) => postgres.kill()),
  {
    weight: 5,
    async run({ database }, _random, report) {
      const connections = database.cut()
      report.count('connection resets', connections)
      report.note(`reset ${connections} database connections`)
    },
  },
  {
    weight: 4,
    async run({ database }, random, report) {
      const verdict = random.pick(['cut', 'cut-after-response'] as const)
      const interval = random.between(5, 40)
      let messages = 0
      report.note(`database: ${verdict} at every ${interval}th message`)
      database.inspect(() => (++messages % interval === 0 ? verdict : 'pass'))
      await pause(random, 1_500)
      database.inspect()
      report.count('connection resets', Math.floor(messages / interval))
    },
  },
  {
    weight: 2,
    count: 'database stalls',
    async run({ database }, random, report) {
      report.note('database connections stall')
      database.stall({ includeNew: random.chance(0.3) })
      await pause(random, random.chance(0.1) ? 24_000 : 4_000)
      database.resetStalled()
    },
  },
  {
    weight: 2,
    count: 'database delays',
    async run({ database }, random, report) {
      report.note('database connections are delayed')
      database.delay(random.between(5, 60))
      await pause(random)
      database.delay(0)
    },
  },
  {
    weight: 2,
    count: 'store outages',
    async run({ store }, random, report) {
      report.note('the store is down')
      await store.down()
      await pause(random, 4_000)
      await store.up()
    },
  },
  {
    weight: 2,
    async run({ store }, random, report) {
      const interval = 3
      let messages = 0
      const verdict = random.pick(['cut', 'cut-after-response'] as const)
      report.note(`store: ${verdict} at every ${interval}rd message`)
      store.inspect(() => (++messages % interval === 0 ? verdict : 'pass'))
      await pause(random, 1_500)
      store.inspect()
      report.count('connection resets', Math.floor(messages / interval))
    },
  },
  {
    weight: 2,
    count: 'Presenton outages',
    async run({ presenton }, random, report) {
      report.note('Presenton is down')
      await presenton.faults.down()
      await pause(random)
      await presenton.faults.up()
    },
  },
  {
    weight: 4,
    count: 'faults',
    async run({ presenton }, random, report) {
      const name = random.pick<FaultName>(temporaryFaults)
      report.note(`Presenton: ${name}`)
      presenton.faults.inject(name)
    },
  },
]

/** Runs disruptions until `isOver`. A seed draws the same disruptions in the same order. */
export async function runDisruptions(
  world: ChaosWorld,
  random: Random,
  report: Report,
  { isOver, onlyReplicas }: { isOver: () => boolean; onlyReplicas: boolean },
): Promise<void> {
  const kinds = onlyReplicas ? [replicaDisruptions] : [replicaDisruptions, dependencyDisruptions]
  const sequences = kinds.map(async (disruptions) => {
    const sequenceRandom = random.fork()
    const weighted = disruptions.flatMap((one) => Array<Disruption>(one.weight).fill(one))
    while (!isOver()) {
      await delay(sequenceRandom.between(50, 900))
      const { count, run } = sequenceRandom.pick(weighted)
      if (count !== undefined) report.count(count)
      await run(world, sequenceRandom, report)
    }
  })
  await Promise.all(sequences)
}
