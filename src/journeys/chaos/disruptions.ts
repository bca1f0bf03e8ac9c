// The disturbances, in two lanes: what happens to the replicas, and what happens to all that they
// lean on. In each lane one follows the other, and heals what it broke before the next one begins.

import { setTimeout as delay } from 'node:timers/promises'
import { type FaultName, faultNames } from '../../sandbox/presenton/stand-in.ts'
import type { Random } from './random.ts'
import type { Report } from './report.ts'
import type { ChaosWorld } from './world.ts'

type Disturb = (world: ChaosWorld, random: Random, report: Report) => Promise<void>

/**
 * The drain, the patience of those who hand back and take leave of a database that is silent, and
 * as much again for a busy machine.
 */
const endsWithinMs = 32_000

const aMoment = (random: Random, most = 2_500) => delay(random.between(50, most))

/**
 * Faults that cost an attempt or a wait; those that end a run by right are not what this is about,
 * but some may come.
 */
const passing = faultNames.filter((name) =>
  /:(reset|502|503|500|reply-lost|cut|saved-cut|ends|cut-before-complete|saved-no-complete|short|truncated|error-500|stall-half-way)$/.test(
    name,
  ),
)

async function replica({ replicas }: ChaosWorld, random: Random) {
  const index = random.between(0, replicas.length - 1)
  return { index, victim: replicas[index] }
}

type Lane = readonly (readonly [weight: number, name: string, disturb: Disturb])[]

const ofReplicas: Lane = [
  [
    4,
    'kills',
    async (world, random, report) => {
      const { index, victim } = await replica(world, random)
      if (!victim) return
      report.note(`kill -9 of replica ${index}`)
      world.replicas[index] = undefined
      await victim.gateway.kill()
      await aMoment(random, 1_500)
      await world.start(index)
    },
  ],
  [
    4,
    'stops',
    async (world, random, report) => {
      const { index, victim } = await replica(world, random)
      if (!victim) return
      report.note(`SIGSTOP of replica ${index}`)
      victim.isStopped = true
      await victim.gateway.kill('SIGSTOP')
      await aMoment(random, 5_000)
      await victim.gateway.kill('SIGCONT')
      victim.isStopped = false
      report.note(`SIGCONT of replica ${index}`)
    },
  ],
  [
    4,
    'restarts',
    async (world, random, report) => {
      const { index, victim } = await replica(world, random)
      if (!victim) return
      report.note(`SIGTERM to replica ${index}`)
      const startedMs = performance.now()
      victim.gateway.child.kill('SIGTERM')
      const end = await Promise.race([victim.gateway.exited, delay(endsWithinMs)])
      world.replicas[index] = undefined
      report.note(
        `replica ${index} ended with ${end?.code ?? 'nothing'} after ${Math.round(performance.now() - startedMs)} ms`,
      )
      if (end?.code !== 0)
        report.violate(`replica ${index}`, `SIGTERM ended with ${JSON.stringify(end)}`)
      await victim.gateway.kill()
      await world.start(index)
    },
  ],
]

const ofSurroundings: Lane = [
  [
    2,
    'Postgres restarts',
    async ({ postgres }, random, report) => {
      report.note('Postgres stops')
      await postgres.stop()
      await aMoment(random)
      await postgres.start()
      report.note('Postgres is back')
    },
  ],
  [
    1,
    'Postgres kills',
    async ({ postgres }, random, report) => {
      report.note('kill -9 of Postgres')
      await postgres.kill()
      await aMoment(random)
      await postgres.start()
      report.note('Postgres is back')
    },
  ],
  [
    5,
    'cuts',
    async ({ database }, _random, report) => {
      const cut = database.cut()
      report.count('cuts', cut)
      report.note(`${cut} database connections reset`)
    },
  ],
  [
    4,
    'cuts',
    async ({ database }, random, report) => {
      const verdict = random.pick(['cut', 'cut-after-response'] as const)
      const every = random.between(5, 40)
      let messages = 0
      report.note(`every ${every}th message to the database: ${verdict}`)
      database.inspect(() => (++messages % every === 0 ? verdict : 'pass'))
      await aMoment(random, 1_500)
      database.inspect()
      report.count('cuts', Math.floor(messages / every))
    },
  ],
  [
    2,
    'silences',
    async ({ database }, random, report) => {
      report.note('database connections fall silent')
      database.stall({ includeNew: random.chance(0.3) })
      await aMoment(random, random.chance(0.1) ? 24_000 : 4_000)
      database.resetStalled()
    },
  ],
  [
    2,
    'slow spells',
    async ({ database }, random, report) => {
      report.note('the database is far away')
      database.delay(random.between(5, 60))
      await aMoment(random)
      database.delay(0)
    },
  ],
  [
    2,
    'store outages',
    async ({ store }, random, report) => {
      report.note('the store is away')
      await store.down()
      await aMoment(random, 4_000)
      await store.up()
    },
  ],
  [
    2,
    'cuts',
    async ({ store }, random, report) => {
      let messages = 0
      const verdict = random.pick(['cut', 'cut-after-response'] as const)
      report.note(`messages to the store: ${verdict}`)
      store.inspect(() => (++messages % 3 === 0 ? verdict : 'pass'))
      await aMoment(random, 1_500)
      store.inspect()
      report.count('cuts', Math.floor(messages / 3))
    },
  ],
  [
    2,
    'Presenton outages',
    async ({ presenton }, random, report) => {
      report.note('Presenton is away')
      await presenton.faults.down()
      await aMoment(random)
      await presenton.faults.up()
    },
  ],
  [
    4,
    'faults',
    async ({ presenton }, random, report) => {
      const name = random.pick<FaultName>(passing)
      report.note(`Presenton: ${name}`)
      presenton.faults.inject(name)
    },
  ],
]

/** Goes on until `isOver`; each seed draws the same ones in the same order. */
export async function runDisruptions(
  world: ChaosWorld,
  random: Random,
  report: Report,
  isOver: () => boolean,
): Promise<void> {
  const lanes = [ofReplicas, ofSurroundings].map(async (lane) => {
    const own = random.fork()
    const drawn = lane.flatMap((one) => Array<typeof one>(one[0]).fill(one))
    while (!isOver()) {
      await delay(own.between(50, 900))
      const [, name, act] = own.pick(drawn)
      if (name !== 'cuts') report.count(name)
      await act(world, own, report)
    }
  })
  await Promise.all(lanes)
}
