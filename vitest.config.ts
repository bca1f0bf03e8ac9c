// Tests run against a real Postgres and real sockets, in several processes. Test files share these
// processes, since loading the program for each file takes longer than most files run. A test that
// measures the whole process is listed in `alone`.

import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

const alone = ['src/presenton/breaker.test.ts']

// Generous, since tests on a busy machine take ten times as long. They wait for events, not time.
const timeoutMs = 120_000
const each = {
  pool: 'forks',
  testTimeout: timeoutMs,
  hookTimeout: timeoutMs,
  expect: { poll: { timeout: 30_000, interval: 20 } },
} as const

export default defineConfig({
  test: {
    globalSetup: 'src/sandbox/global-setup.ts',
    // Tests mostly wait for sockets and disks, so one worker for each core would leave cores idle.
    maxWorkers: availableParallelism() + 2,
    watch: false,
    reporters: ['default'],
    // `npm run coverage`. A file that no test loads counts as uncovered. What runs in programs that
    // tests spawn, and the page in a browser (`npm run test:page`), does not count.
    coverage: {
      provider: 'v8',
      include: ['src/**/*.ts'],
      exclude: [
        ...['src/sandbox/**', 'src/bench/**', 'src/journeys/**', 'src/**/*.test.ts'],
        ...['src/**/test-*.ts', 'src/main.ts', 'src/page/**', 'src/client/openapi.ts'],
      ],
      reporter: ['text-summary', 'json-summary'],
      reportOnFailure: true,
      thresholds: { lines: 90, branches: 90 },
    },
    projects: [
      {
        test: {
          ...each,
          name: 'shared',
          include: ['src/**/*.test.ts'],
          exclude: alone,
          isolate: false,
        },
      },
      { test: { ...each, name: 'alone', include: alone, isolate: true } },
    ],
  },
})
