// Events delivered a second, as fast as they are taken: one run with 1,000 readers, and 100 runs
// with 10 each. The gateway stores and encodes each event once; behind a proxy upstream writes it
// anew for every reader. Peer: @fastify/http-proxy, nginx. Target: ≥ 1 × http-proxy, ≥ 0.5 × nginx.
import type { Ground } from './ground.ts'
import { judge, type Measure, percentile, perSecond, type Result } from './measure.ts'
import { openSides, playRound } from './sides.ts'

const targets: Record<string, number> = { 'http-proxy': 1, nginx: 0.5 }

export const delivery: Measure = {
  name: 'delivery',
  async run(ground, { isQuick }) {
    const many = { runs: 100, readersEach: 10 }
    const one = { runs: 1, readersEach: 1000 }
    const sizes = isQuick ? [{ runs: 1, readersEach: 100 }] : [one, many]
    const results: Result[] = []
    for (const watched of sizes) results.push(...(await measure(ground, watched, isQuick)))
    return results
  },
}

async function measure(
  ground: Ground,
  watched: { runs: number; readersEach: number },
  isQuick: boolean,
): Promise<Result[]> {
  const sides = await openSides(ground, watched)
  const rates = new Map(sides.map(({ name }) => [name, [] as number[]]))
  try {
    const readers = watched.runs * watched.readersEach
    const beats = Math.ceil((isQuick ? 20_000 : 150_000) / readers)
    for (let round = 0; round < (isQuick ? 2 : 4); round += 1) {
      for (const side of sides) {
        const played = await playRound(ground, side, { kind: 'assets', beats, bytes: 400 })
        // The first round warms up.
        if (round > 0) rates.get(side.name)?.push(played.perSecond)
      }
    }
  } finally {
    for (const side of sides) await side.end()
  }
  const median = (name: string) => percentile(rates.get(name) ?? [], 0.5)
  return [...rates.keys()]
    .filter((name) => name !== 'gateway')
    .map((peerName) => {
      const own = median('gateway')
      const peer = median(peerName)
      const atLeast = targets[peerName] ?? 1
      return {
        ...judge({
          measure: `events read, ${watched.runs} runs × ${watched.readersEach} readers`,
          ...{ own, peer, peerName, unit: perSecond, target: `≥ ${atLeast} ×` },
        }),
        isMet: own / peer >= atLeast,
        off: (atLeast * peer) / own,
      }
    })
}
