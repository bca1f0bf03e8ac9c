// The chaos: users make decks, readers hop from replica to replica, and everything they lean on
// breaks at random, by a seed. In the end nothing of what was promised may be broken.

import { setTimeout as delay } from 'node:timers/promises'
import { createCaller } from './caller.ts'
import { disturb } from './disturb.ts'
import { createHistory, type History } from './history.ts'
import { type Led, lead } from './life.ts'
import { createRandom } from './random.ts'
import { verify } from './verify.ts'
import { type ChaosWorldOptions, openChaosWorld } from './world.ts'

export interface ChaosOptions extends Pick<ChaosWorldOptions, 'shape'> {
  seed: number
  durationMs: number
  users?: number
  onProgress?: (history: History) => void
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
  const history = createHistory()
  const world = await openChaosWorld(upstream)
  const lives: Led[] = []
  try {
    const endMs = performance.now() + durationMs
    const isOver = () => performance.now() >= endMs
    const callers = await Promise.all(
      Array.from({ length: users }, async (_, index) =>
        createCaller({
          token: await world.sign({ sub: `user-${index}` }),
          urls: world.urls,
          random: random.fork(),
        }),
      ),
    )
    const progress = setInterval(() => onProgress?.(history), 10_000)
    const leading = callers.map(async (caller) => {
      const own = random.fork()
      const under = new Set<Promise<void>>()
      while (!isOver()) {
        history.count('runs')
        const life = lead({ caller, urls: world.urls, random: own.fork(), history }).then((led) => {
          lives.push(led)
          // Its readers leave once they have seen all: else a long chaos would end as one of
          // readers who ask again and again.
          led.conclude()
        })
        const tracked: Promise<void> = life.finally(() => under.delete(tracked))
        under.add(tracked)
        // Some at once, so that there is always something in the queue.
        if (under.size >= 3) await Promise.race(under)
        await delay(own.between(0, 300))
      }
      await Promise.all(under)
    })
    await disturb(world, random.fork(), history, isOver)
    history.note('all is well again')
    await world.heal()
    const settled = await Promise.race([
      Promise.all(leading).then(() => true),
      delay(settleMs, false, { ref: false }),
    ])
    clearInterval(progress)
    if (settled) await verify(world, lives, history)
    else
      history.violate(
        'all',
        `not every run has ended ${settleMs / 1000} s after all was well again`,
      )
  } catch (error) {
    history.violate('chaos', (error as Error).stack ?? String(error))
  }
  const logs = world.logs()
  await world.close()
  for (const line of logs)
    if (line.includes('"level":"fatal"')) history.violate('gateway', line.slice(0, 2_000))
  return { ...history, logs }
}
