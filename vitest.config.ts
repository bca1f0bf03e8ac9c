// Tests run against a real Postgres and real sockets, in as many processes as there are workers.
// Files share those, one after the other, since to load the program anew for each file takes more
// than most of the files do: it keeps nothing at the level of modules, and a test that looks at the
// whole process stands under `alone`.

import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

const alone = ['src/presenton/breaker.test.ts']

const each = { pool: 'forks', testTimeout: 30_000, hookTimeout: 60_000 } as const

export default defineConfig({
  test: {
    globalSetup: 'src/sandbox/global-setup.ts',
    // Most of a test's time is waiting for sockets and disks, so one file a core leaves cores idle.
    maxWorkers: availableParallelism() + 2,
    watch: false,
    reporters: ['default'],
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
