// From upstream's write of an event to a reader's read of it, durable in Postgres in between: 100
// runs at once, 10 readers each, each event a whole slide. At half the load where gateway or
// http-proxy saturates the machine, whichever is sooner. Peer: bare @fastify/http-proxy, and nginx
// where it is installed, which store nothing. Target: p50 ≤ 2 ms and p99 ≤ 10 ms above http-proxy.
import type { Ground } from './ground.ts'
import { judge, type Measure, ms, percentile, type Result, perSecond as rate } from './measure.ts'
import { openSides, playRound, type Side } from './sides.ts'

const bytes = 600
/** Events a second for each reader. */
const rates = [1, 2, 4, 6, 8, 12, 16, 24] as const

export const eventLatency: Measure = {
  name: 'event-latency',
  async run(ground, { isQuick }) {
    const watched = isQuick ? { runs: 8, readersEach: 5 } : { runs: 100, readersEach: 10 }
    const sides = await openSides(ground, watched)
    try {
      for (const side of sides)
        await playRound(ground, side, {
          kind: 'slide',
          beats: isQuick ? 4 : 20,
          perSecond: 5,
          bytes,
        })
      const sustained = new Map<string, number>()
      for (const side of sides)
        sustained.set(side.name, isQuick ? 8 : await findSaturation(ground, side))
      const saturated = Math.min(sustained.get('gateway') ?? 1, sustained.get('http-proxy') ?? 1)
      const delays = new Map(sides.map(({ name }) => [name, [] as number[]]))
      const half = saturated / 2
      // In turn, so that all meet the machine in the same moods.
      for (let round = 0; round < (isQuick ? 1 : 3); round += 1) {
        for (const side of sides) {
          await playRound(ground, side, {
            kind: 'slide',
            beats: Math.ceil((isQuick ? 1.5 : 3) * half),
            perSecond: half,
            bytes,
          })
          delays.get(side.name)?.push(...side.delays)
        }
      }
      return results({ delays, sustained, half, readers: watched.runs * watched.readersEach })
    } finally {
      for (const side of sides) await side.end()
    }
  },
}

/** The highest of the rates that comes through whole, in time, and within a quarter of a second. */
async function findSaturation(ground: Ground, side: Side): Promise<number> {
  let last: number = rates[0]
  for (const perSecond of rates) {
    const beats = Math.ceil(perSecond * 1.5)
    const { read, expected, seconds } = await playRound(ground, side, {
      kind: 'slide',
      beats,
      perSecond,
      bytes,
    })
    const isKept =
      read >= expected * 0.999 &&
      seconds < (beats / perSecond) * 1.15 + 0.1 &&
      percentile(side.delays, 0.99) < 250
    if (!isKept) break
    last = perSecond
  }
  return last
}

function results(found: {
  delays: Map<string, number[]>
  sustained: Map<string, number>
  half: number
  readers: number
}): Result[] {
  const { delays, sustained, half, readers } = found
  const at = (name: string, share: number) => percentile(delays.get(name) ?? [], share)
  const peers = [...delays.keys()].filter((name) => name !== 'gateway')
  const added = (share: number, label: string, limit: number) =>
    peers.map((peerName) => {
      const peer = at(peerName, share)
      const own = at('gateway', share)
      const target = peerName === 'http-proxy' ? limit : Number.POSITIVE_INFINITY
      return {
        ...judge({
          measure: `event, write to read, ${label}, ${rate(half * readers)} read`,
          ...{ own, peer, peerName, unit: ms },
          target: peerName === 'http-proxy' ? `≤ ${limit} ms above` : '–',
        }),
        isMet: own - peer <= target,
        off: (own - peer) / target,
      }
    })
  const saturation = judge({
    measure: 'load that is kept, events read a second',
    own: (sustained.get('gateway') ?? 0) * readers,
    peer: (sustained.get('http-proxy') ?? 0) * readers,
    ...{ peerName: 'http-proxy', unit: rate, target: '–' },
  })
  return [...added(0.5, 'p50', 2), ...added(0.99, 'p99', 10), saturation]
}
