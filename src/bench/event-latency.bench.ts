// Time from upstream's write of an event to its read, with a commit in Postgres between: 100 runs,
// 10 readers each, whole slides, at half the sustained load. Peers, which store nothing:
// http-proxy, nginx. Target: p50 ≤ 2 ms and p99 ≤ 10 ms above http-proxy.
import {
  type Benchmark,
  createResult,
  ms,
  percentile,
  type Result,
  perSecond as rate,
} from './benchmark.ts'
import type { BenchEnvironment } from './environment.ts'
import { type MeasuredSystem, openSystems, runRound } from './systems.ts'

const kind = 'slide'
const bytes = 600
/** Events a second for each reader. */
const rates = [1, 2, 4, 6, 8, 12, 16, 24] as const

export const eventLatency: Benchmark = {
  name: 'event-latency',
  async run(environment, { isQuick }) {
    const load = isQuick ? { runs: 8, readersPerRun: 5 } : { runs: 100, readersPerRun: 10 }
    const systems = await openSystems(environment, load)
    try {
      const warmUp = { kind, events: isQuick ? 4 : 20, perSecond: 5, bytes } as const
      for (const system of systems) await runRound(environment, system, warmUp)
      const sustained = new Map<string, number>()
      for (const system of systems)
        sustained.set(system.name, isQuick ? 8 : await findSustainedRate(environment, system))
      const half = Math.min(sustained.get('gateway') ?? 1, sustained.get('http-proxy') ?? 1) / 2
      const delays = new Map(systems.map(({ name }) => [name, [] as number[]]))
      const events = Math.ceil((isQuick ? 1.5 : 3) * half)
      // Systems alternate, so that all meet the same conditions of the machine.
      for (let round = 0; round < (isQuick ? 1 : 3); round += 1) {
        for (const system of systems) {
          await runRound(environment, system, { kind, events, perSecond: half, bytes })
          delays.get(system.name)?.push(...system.delaysMs)
        }
      }
      return createResults({ delays, sustained, half, readers: load.runs * load.readersPerRun })
    } finally {
      for (const system of systems) await system.stop()
    }
  },
}

/** The highest of the rates at which all events arrive on time, with a p99 below 250 ms. */
async function findSustainedRate(
  environment: BenchEnvironment,
  system: MeasuredSystem,
): Promise<number> {
  let sustained: number = rates[0]
  for (const perSecond of rates) {
    const events = Math.ceil(perSecond * 1.5)
    const { read, expected, seconds } = await runRound(environment, system, {
      kind,
      events,
      perSecond,
      bytes,
    })
    const isSustained =
      read >= expected * 0.999 &&
      seconds < (events / perSecond) * 1.15 + 0.1 &&
      percentile(system.delaysMs, 0.99) < 250
    if (!isSustained) break
    sustained = perSecond
  }
  return sustained
}

interface Measured {
  /** By system, in ms. */
  delays: Map<string, number[]>
  /** Events a second for each reader, by system. */
  sustained: Map<string, number>
  /** The rate at which the delays were measured. */
  half: number
  readers: number
}

function createResults({ delays, sustained, half, readers }: Measured): Result[] {
  const delayOf = (name: string, share: number) => percentile(delays.get(name) ?? [], share)
  const peers = [...delays.keys()].filter((name) => name !== 'gateway')
  const rows = (share: number, label: string, limitMs: number) =>
    peers.map((peerName) => {
      const peer = delayOf(peerName, share)
      const own = delayOf('gateway', share)
      const allowedMs = peerName === 'http-proxy' ? limitMs : Number.POSITIVE_INFINITY
      return {
        ...createResult({
          measure: `event from write to read, ${label}, at ${rate(half * readers)}`,
          own,
          peer,
          peerName,
          format: ms,
          target: peerName === 'http-proxy' ? `≤ ${limitMs} ms above` : '–',
        }),
        isMet: own - peer <= allowedMs,
        off: (own - peer) / allowedMs,
      }
    })
  const sustainedLoad = createResult({
    measure: 'sustained load, events read per second',
    own: (sustained.get('gateway') ?? 0) * readers,
    peer: (sustained.get('http-proxy') ?? 0) * readers,
    peerName: 'http-proxy',
    format: rate,
    target: '–',
  })
  return [...rows(0.5, 'p50', 2), ...rows(0.99, 'p99', 10), sustainedLoad]
}
