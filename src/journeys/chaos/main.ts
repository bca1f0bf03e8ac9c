// `npm run chaos -- --seed N --minutes M [--users N]`: the chaos for as long as one likes. Prints what was done and what was found; the
// history of a seed that found something goes to standard error, the log lines of its gateways to a file.

import { writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { runChaos } from './chaos.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    minutes: { type: 'string', default: '1' },
    users: { type: 'string', default: '4' },
  },
})
const seed = Number(values.seed)
const show = (counts: Record<string, number>) =>
  Object.entries(counts)
    .map(([what, count]) => `${count} ${what}`)
    .join(', ')

const { counts, violations, lines, logs } = await runChaos({
  seed,
  durationMs: Number(values.minutes) * 60_000,
  users: Number(values.users),
  onProgress: (history) => process.stdout.write(`… ${show(history.counts)}; ${history.violations.length} violations\n`),
})
process.stdout.write(`seed ${seed}: ${show(counts)}; ${violations.length} violations\n`)
if (violations.length > 0) {
  const file = join(tmpdir(), `chaos-${seed}.log`)
  writeFileSync(file, [...lines, '', ...logs].join('\n'))
  process.stderr.write(
    [...lines, '', `${violations.length} violations with --seed ${seed}; everything is in ${file}`, ...violations, ''].join('\n'),
  )
}
process.exit(violations.length > 0 ? 1 : 0)
