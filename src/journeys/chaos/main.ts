// `npm run chaos -- --seed N --minutes M [--users N] [--shape A1|T|B1|B2]`: the chaos for as long
// as one likes, before that version of upstream. Prints what was done and what was found; the
// report of a seed that found something goes to standard error, the log lines of its gateways to a
// file.

import { writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { shapes } from '../../sandbox/presenton/stand-in.ts'
import { runChaos } from './chaos.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    minutes: { type: 'string', default: '1' },
    users: { type: 'string', default: '4' },
    shape: { type: 'string', default: 'B1' },
  },
})
const seed = Number(values.seed)
const shape = shapes.find((one) => one === values.shape)
if (!shape) throw new Error(`--shape is one of ${shapes.join(', ')}`)
const show = (counts: Record<string, number>) =>
  Object.entries(counts)
    .map(([what, count]) => `${count} ${what}`)
    .join(', ')

const { counts, violations, lines, logs } = await runChaos({
  seed,
  durationMs: Number(values.minutes) * 60_000,
  users: Number(values.users),
  shape,
  onProgress: (report) =>
    process.stdout.write(`… ${show(report.counts)}; ${report.violations.length} violations\n`),
})
process.stdout.write(`seed ${seed}: ${show(counts)}; ${violations.length} violations\n`)
if (violations.length > 0) {
  const file = join(tmpdir(), `chaos-${seed}.log`)
  writeFileSync(file, [...lines, '', ...logs].join('\n'))
  process.stderr.write(
    [
      ...lines,
      '',
      `${violations.length} violations with --seed ${seed}; everything is in ${file}`,
      ...violations,
      '',
    ].join('\n'),
  )
}
process.exit(violations.length > 0 ? 1 : 0)
