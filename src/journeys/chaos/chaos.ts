// The chaos test: users make decks and subscribers move between replicas, while the replicas and
// all dependencies fail at random, by a seed. At the end it verifies every promise of the gateway.

import { setTimeout as delay } from 'node:timers/promises'
import { announce } from './announce.ts'
import { createClient } from './client.ts'
import { runDisruptions } from './disruptions.ts'
import { listenForNotifications, verifyNotifications } from './notifications.ts'
import { createRandom } from './random.ts'
import { createReport, type Report } from './report.ts'
import { runScenario, type Scenario } from './scenario.ts'
import { verify } from './verify.ts'
import { type ChaosWorldOptions, openChaosWorld } from './world.ts'

export interface ChaosOptions extends Pick<ChaosWorldOptions, 'shape'> {
  seed: number
  durationMs: number
  /** Default 4. */
  users?: number
  /** WebSockets that follow each presentation. Default 2. */
  followers?: number
  /** Only replicas are disrupted, not what they depend on. */
  onlyReplicas?: boolean
  /** Called every 10 s. */
  onProgress?: (report: Report) => void
}

/** Every run must end within this time after the last disruption; each user has three at once. */
const settleMsFor = (users: number) => Math.max(90_000, users * 8_000)
const scenariosPerUser = 3

/** Returns the report and the log lines of all gateways. */
export async function runChaos({
  seed,
  durationMs,
  users = 4,
  followers = 2,
  onlyReplicas = false,
  onProgress,
  ...upstream
}: ChaosOptions) {
  const random = createRandom(seed)
  const report = createReport()
  const world = await openChaosWorld(upstream)
  const scenarios: Scenario[] = []
  const settleMs = settleMsFor(users)
  let recoveredAtMs: number | undefined
  try {
    const endMs = performance.now() + durationMs
    const isOver = () => performance.now() >= endMs
    const clients = await Promise.all(
      Array.from({ length: users }, async (_, index) =>
        createClient({
          userId: `user-${index}`,
          token: await world.sign({ sub: `user-${index}` }),
          urls: world.urls,
          random: random.fork(),
        }),
      ),
    )
    // Two for each user, whose connections break at different moments.
    const listeners = (['WebSocket', 'SSE'] as const).flatMap((over) =>
      clients.map((client) =>
        listenForNotifications({ client, over, urls: world.urls, random: random.fork(), report }),
      ),
    )
    const progress = setInterval(() => onProgress?.(report), 10_000)
    const userLoops = clients.map(async (client) => {
      const userRandom = random.fork()
      const running = new Set<Promise<void>>()
      while (!isOver()) {
        report.count('runs')
        const options = {
          ...{ client, urls: world.urls, random: userRandom.fork(), report, followers },
          recoveredAtMs: () => recoveredAtMs,
        }
        const finished = runScenario(options).then((scenario) => {
          scenarios.push(scenario)
          // Otherwise a long test would end with thousands of subscribers that keep reconnecting.
          scenario.finish()
        })
        const tracked: Promise<void> = finished.finally(() => running.delete(tracked))
        running.add(tracked)
        // Several at once, so that the queue is never empty.
        if (running.size >= scenariosPerUser) await Promise.race(running)
        await delay(userRandom.between(0, 300))
      }
      await Promise.all(running)
    })
    const disruptionRandom = random.fork()
    const announcing = announce({ opsUrls: world.opsUrls, random: random.fork(), report, isOver })
    await runDisruptions(world, disruptionRandom, report, { isOver, onlyReplicas })
    const announced = await announcing
    report.note('the disruptions have ended')
    await world.recover()
    recoveredAtMs = performance.now()
    const isSettled = await Promise.race([
      Promise.all(userLoops).then(() => true),
      delay(settleMs, false, { ref: false }),
    ])
    clearInterval(progress)
    if (isSettled) {
      await verifyNotifications(world, { listeners, scenarios, announced }, report)
      await verify(world, scenarios, report)
    } else
      report.violate(
        'runs',
        `some runs have not ended ${settleMs / 1000} s after the last disruption`,
      )
  } catch (error) {
    report.violate('chaos', (error as Error).stack ?? String(error))
  }
  const logs = world.logs()
  await world.close()
  for (const line of logs)
    if (line.includes('"level":"fatal"')) report.violate('gateway', line.slice(0, 2_000))
  return { ...report, logs }
}
