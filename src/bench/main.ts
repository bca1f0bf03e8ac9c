// `npm run bench`: starts all it needs, runs each measure against its peer, prints one table, and
// the same as JSON (`--json FILE`). `--only NAME` runs one (may be given again), `--quick` less of
// each, failing only where something has collapsed, `--load` the load scenario at its full length,
// `--profile DIR` leaves CPU profiles of the gateways there.
import { writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { accept } from './accept.bench.ts'
import { attacksBench } from './attacks.bench.ts'
import { claims } from './claims.bench.ts'
import { copy } from './copy.bench.ts'
import { delivery } from './delivery.bench.ts'
import { eventLatency } from './event-latency.bench.ts'
import { openGround } from './ground.ts'
import { growth } from './growth.bench.ts'
import { idle } from './idle.bench.ts'
import { idleStreams } from './idle-streams.bench.ts'
import { listing } from './listing.bench.ts'
import { load } from './load.bench.ts'
import { type Measure, printTable, type Result } from './measure.ts'
import { parse } from './parse.bench.ts'
import { resume } from './resume.bench.ts'
import { runStart } from './run-start.bench.ts'
import { trickle } from './trickle.bench.ts'

const measures: Measure[] = [
  eventLatency,
  delivery,
  idleStreams,
  accept,
  runStart,
  claims,
  resume,
  copy,
  parse,
  trickle,
  idle,
  // Its million rows keep the database busy for a while.
  listing,
  growth,
  attacksBench,
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
const chosen = measures.filter(({ name }) =>
  (values.only ?? (values.load ? ['load'] : [name])).includes(name),
)
if (chosen.length === 0)
  throw new Error(`The measures are ${measures.map(({ name }) => name).join(', ')}.`)

/** A measure that hangs has failed. */
async function inTime<T>(work: Promise<T>, seconds: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done in ${seconds} s`)), seconds * 1000)
  })
  return Promise.race([work, late]).finally(() => clearTimeout(timer))
}

const ground = await openGround({ profileDir: values.profile })
const results: Result[] = []
const failed: string[] = []
try {
  for (const { name, run } of chosen) {
    const since = performance.now()
    try {
      results.push(
        ...(await inTime(
          run(ground, { isQuick: values.quick, isLoad: values.load }),
          values.load ? 900 : 240,
        )),
      )
    } catch (error) {
      failed.push(name)
      console.error(`${name} failed:`, error)
    }
    console.error(`${name}: ${((performance.now() - since) / 1000).toFixed(1)} s`)
  }
} finally {
  await ground.close()
}
printTable(results)
if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(results, null, 2)}\n`)
// A target missed is a fact to be told; ten times off is a collapse. A quick look takes few
// samples, on machines that do other things too.
const collapse = values.quick ? 100 : 10
const collapsed = results.filter(({ off }) => off > collapse || Number.isNaN(off))
for (const { measure } of collapsed) console.error(`collapsed: ${measure}`)
process.exitCode = failed.length > 0 || collapsed.length > 0 ? 1 : 0
