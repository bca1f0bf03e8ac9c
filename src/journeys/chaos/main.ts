// `npm run chaos -- --seed N --minutes M [--users N] [--followers N] [--only-replicas] [--shape S]`
// runs the chaos test against the stand-in of that upstream shape. It prints counts and violations;
// after a violation also the whole report, which it writes to a file with the log lines.

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
    followers: { type: 'string', default: '2' },
    'only-replicas': { type: 'boolean', default: false },
    shape: { type: 'string', default: 'B1' },
  },
})
const seed = Number(values.seed)
const shape = shapes.find((one) => one === values.shape)
if (!shape) throw new Error(`--shape must be one of ${shapes.join(', ')}`)
const format = (counts: Record<string, number>) =>
  Object.entries(counts)
    .map(([event, count]) => `${count} ${event}`)
    .join(', ')

const { counts, violations, lines, logs } = await runChaos({
  seed,
  durationMs: Number(values.minutes) * 60_000,
  users: Number(values.users),
  followers: Number(values.followers),
  onlyReplicas: values['only-replicas'],
  shape,
  onProgress: (report) =>
    process.stdout.write(`… ${format(report.counts)}; ${report.violations.length} violations\n`),
})
process.stdout.write(`seed ${seed}: ${format(counts)}; ${violations.length} violations\n`)
if (violations.length > 0) {
  const file = join(tmpdir(), `chaos-${seed}.log`)
  writeFileSync(file, [...lines, '', ...logs].join('\n'))
  process.stderr.write(
    [
      ...lines,
      '',
      `${violations.length} violations with --seed ${seed}; the full log is in ${file}`,
      ...violations,
      '',
    ].join('\n'),
  )
}
process.exit(violations.length > 0 ? 1 : 0)
