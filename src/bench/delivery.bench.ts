// Events delivered per second at full speed: one run with 1,000 readers, and 100 runs with 10 each.
// The gateway stores and encodes each event once; behind a proxy, upstream writes it for each
// reader. Peers: @fastify/http-proxy, nginx. Target: ≥ 1 × http-proxy, ≥ 0.5 × nginx.
import { type Benchmark, createResult, percentile, perSecond, type Result } from './benchmark.ts'
import type { BenchEnvironment } from './environment.ts'
import { openSystems, type ReaderLoad, runRound } from './systems.ts'

const minimumRatios: Record<string, number> = { 'http-proxy': 1, nginx: 0.5 }

export const delivery: Benchmark = {
  name: 'delivery',
  async run(environment, { isQuick }) {
    const loads = isQuick
      ? [{ runs: 1, readersPerRun: 100 }]
      : [
          { runs: 1, readersPerRun: 1000 },
          { runs: 100, readersPerRun: 10 },
        ]
    const results: Result[] = []
    for (const load of loads) results.push(...(await measure(environment, load, isQuick)))
    return results
  },
}

async function measure(
  environment: BenchEnvironment,
  load: ReaderLoad,
  isQuick: boolean,
): Promise<Result[]> {
  const systems = await openSystems(environment, load)
  const rates = new Map(systems.map(({ name }) => [name, [] as number[]]))
  try {
    const readers = load.runs * load.readersPerRun
    const events = Math.ceil((isQuick ? 20_000 : 150_000) / readers)
    for (let round = 0; round < (isQuick ? 2 : 4); round += 1) {
      for (const system of systems) {
        const delivered = await runRound(environment, system, {
          kind: 'assets',
          events,
          bytes: 400,
        })
        // The first round warms up.
        if (round > 0) rates.get(system.name)?.push(delivered.perSecond)
      }
    }
  } finally {
    for (const system of systems) await system.stop()
  }
  const median = (name: string) => percentile(rates.get(name) ?? [], 0.5)
  return [...rates.keys()]
    .filter((name) => name !== 'gateway')
    .map((peerName) => {
      const peer = median(peerName)
      const minimumRatio = minimumRatios[peerName] ?? 1
      return createResult({
        measure: `events delivered, ${load.runs} runs × ${load.readersPerRun} readers`,
        own: median('gateway'),
        peer,
        peerName,
        format: perSecond,
        target: `≥ ${minimumRatio} ×`,
        atLeast: minimumRatio * peer,
      })
    })
}
