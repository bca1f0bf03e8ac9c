// The chaos: users make decks, readers hop from replica to replica, and everything they lean on
// breaks at random, by a seed. In the end nothing of what was promised may be broken.

import { setTimeout as delay } from 'node:timers/promises'
import { createClient } from './client.ts'
import { runDisruptions } from './disruptions.ts'
import { createRandom } from './random.ts'
import { createReport, type Report } from './report.ts'
import { runScenario, type Scenario } from './scenario.ts'
import { verify } from './verify.ts'
import { type ChaosWorldOptions, openChaosWorld } from './world.ts'

export interface ChaosOptions extends Pick<ChaosWorldOptions, 'shape'> {
  seed: number
  durationMs: number
  users?: number
  onProgress?: (report: Report) => void
}

/** Whatever happened, every run ends within this time once all is well again. */
const settleMs = 90_000

export async function runChaos({
  seed,
  durationMs,
  users = 4,
  onProgress,
  ...upstream
}: ChaosOptions) {
  const random = createRandom(seed)
  const report = createReport()
  const world = await openChaosWorld(upstream)
  const lives: Scenario[] = []
  try {
    const endMs = performance.now() + durationMs
    const isOver = () => performance.now() >= endMs
    const clients = await Promise.all(
      Array.from({ length: users }, async (_, index) =>
        createClient({
          token: await world.sign({ sub: `user-${index}` }),
          urls: world.urls,
          random: random.fork(),
        }),
      ),
    )
    const progress = setInterval(() => onProgress?.(report), 10_000)
    const leading = clients.map(async (client) => {
      const own = random.fork()
      const under = new Set<Promise<void>>()
      while (!isOver()) {
        report.count('runs')
        const life = runScenario({ client, urls: world.urls, random: own.fork(), report }).then(
          (led) => {
            lives.push(led)
            // Its readers leave once they have seen all: else a long chaos would end as one of
            // readers who ask again and again.
            led.conclude()
          },
        )
        const tracked: Promise<void> = life.finally(() => under.delete(tracked))
        under.add(tracked)
        // Some at once, so that there is always something in the queue.
        if (under.size >= 3) await Promise.race(under)
        await delay(own.between(0, 300))
      }
      await Promise.all(under)
    })
    await runDisruptions(world, random.fork(), report, isOver)
    report.note('all is well again')
    await world.heal()
    const settled = await Promise.race([
      Promise.all(leading).then(() => true),
      delay(settleMs, false, { ref: false }),
    ])
    clearInterval(progress)
    if (settled) await verify(world, lives, report)
    else
      report.violate('all', `not every run has ended ${settleMs / 1000} s after all was well again`)
  } catch (error) {
    report.violate('chaos', (error as Error).stack ?? String(error))
  }
  const logs = world.logs()
  await world.close()
  for (const line of logs)
    if (line.includes('"level":"fatal"')) report.violate('gateway', line.slice(0, 2_000))
  return { ...report, logs }
}
