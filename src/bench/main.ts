// `npm run bench`: starts all it needs, runs each measure against its peer, prints one table, and the same as JSON (`--json FILE`).
// `--quick` runs fewer rounds.
import { writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { measureAccept } from './accept.bench.ts'
import { measureEventLatency } from './event-latency.bench.ts'
import { openGround } from './ground.ts'
import { printTable } from './measure.ts'

const { values } = parseArgs({ options: { quick: { type: 'boolean', default: false }, json: { type: 'string' } } })
const ground = await openGround({ beats: 20, everyMs: 20 })
try {
  const results = [
    ...(await measureEventLatency(ground, { runs: values.quick ? 3 : 30 })),
    ...(await measureAccept(ground, { posts: values.quick ? 50 : 500 })),
  ]
  printTable(results)
  if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(results, null, 2)}\n`)
} finally {
  await ground.close()
}
