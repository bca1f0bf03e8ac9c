// Tests run against a real Postgres and real sockets, so files run as processes of their own: a leak or a crash stays in its file.

import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['src/**/*.test.ts'],
    globalSetup: 'src/sandbox/global-setup.ts',
    pool: 'forks',
    // Most of a test's time is waiting for sockets and disks, so one file a core leaves cores idle.
    maxWorkers: availableParallelism() + 1,
    testTimeout: 30_000,
    hookTimeout: 60_000,
    watch: false,
    reporters: ['default'],
  },
})
