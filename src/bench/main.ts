// `npm run bench` runs each benchmark against its peer and prints one table. --only NAME runs one
// (repeatable), --quick shorter ones that fail only on a collapse, --load the full load scenario.
// --json FILE writes the table as JSON, --profile DIR CPU profiles of the gateways.
import { writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { accept } from './accept.bench.ts'
import { attackImpact } from './attacks.bench.ts'
import { type Benchmark, printTable, type Result } from './benchmark.ts'
import { burst } from './burst.bench.ts'
import { claims } from './claims.bench.ts'
import { copy } from './copy.bench.ts'
import { delivery } from './delivery.bench.ts'
import { openBenchEnvironment } from './environment.ts'
import { eventLatency } from './event-latency.bench.ts'
import { growth } from './growth.bench.ts'
import { idle } from './idle.bench.ts'
import { idleStreams } from './idle-streams.bench.ts'
import { listing } from './listing.bench.ts'
import { load } from './load.bench.ts'
import { maker } from './maker.bench.ts'
import { notifications } from './notifications.bench.ts'
import { parse } from './parse.bench.ts'
import { resume } from './resume.bench.ts'
import { runStart } from './run-start.bench.ts'
import { slideChange } from './slide-change.bench.ts'
import { sockets } from './sockets.bench.ts'
import { traces } from './traces.bench.ts'
import { trickle } from './trickle.bench.ts'
import { uploads } from './uploads.bench.ts'

const benchmarks: Benchmark[] = [
  eventLatency,
  delivery,
  idleStreams,
  sockets,
  notifications,
  accept,
  runStart,
  claims,
  resume,
  copy,
  uploads,
  slideChange,
  maker,
  traces,
  parse,
  trickle,
  burst,
  idle,
  // Its million rows keep the database busy for a while.
  listing,
  growth,
  attackImpact,
  load,
]

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    load: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true },
    json: { type: 'string' },
    profile: { type: 'string' },
  },
})
const chosenNames = values.only ?? (values.load ? ['load'] : undefined)
const chosen = benchmarks.filter(({ name }) => chosenNames?.includes(name) ?? true)
if (chosen.length === 0)
  throw new Error(
    `--only ${chosenNames?.join(', ')}: use ${benchmarks.map(({ name }) => name).join(', ')}.`,
  )

async function withTimeout<T>(work: Promise<T>, seconds: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not finished in ${seconds} s`)), seconds * 1000)
  })
  return Promise.race([work, timeout]).finally(() => clearTimeout(timer))
}

const environment = await openBenchEnvironment({ profileDir: values.profile })
const results: Result[] = []
const failed: string[] = []
try {
  for (const { name, run } of chosen) {
    const since = performance.now()
    try {
      const work = run(environment, { isQuick: values.quick, isLoad: values.load })
      results.push(...(await withTimeout(work, values.load ? 900 : 240)))
    } catch (error) {
      failed.push(name)
      console.error(`${name} failed:`, error)
    }
    console.error(`${name}: ${((performance.now() - since) / 1000).toFixed(1)} s`)
  }
} finally {
  await environment.close()
}
printTable(results)
if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(results, null, 2)}\n`)
// A missed target is only reported; one that is missed by a factor of ten fails the run. Quick runs
// have few samples and share the machine, so their factor is 100.
const collapseFactor = values.quick ? 100 : 10
const collapsed = results.filter(({ off }) => off > collapseFactor || Number.isNaN(off))
for (const { measure } of collapsed) console.error(`collapsed: ${measure}`)
process.exitCode = failed.length > 0 || collapsed.length > 0 ? 1 : 0
