// A real PgBouncer in front of a Postgres, for tests on machines that have it (`apt-get install
// pgbouncer`).

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { PoolerOptions } from './pooler.ts'
import { findFreePort, isPortFree } from './ports.ts'
import { findAccount } from './postgres-account.ts'
import { openTemporaryFolder } from './temporary-folder.ts'

export const hasPgbouncer = !spawnSync('pgbouncer', ['--version']).error

/** Accepts every user, and signs in with those of `url`. Resolves once it listens. */
export async function openPgbouncer({ url, mode, poolSize = 20 }: PoolerOptions) {
  const folder = openTemporaryFolder('pgbouncer')
  const port = await findFreePort()
  const server = new URL(url)
  const file = join(folder.path, 'pgbouncer.ini')
  writeFileSync(
    file,
    `[databases]
* = host=${server.hostname} port=${server.port} user=${server.username} password=${server.password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = ${mode}
default_pool_size = ${poolSize}
`,
  )
  // PgBouncer refuses to run as root.
  const { ids, prefix } = findAccount(folder.path)
  chmodSync(folder.path, 0o755)
  const [program = '', ...args] = [...prefix, 'pgbouncer', file]
  const child = spawn(program, args, { ...ids, cwd: '/', stdio: ['ignore', 'ignore', 'pipe'] })
  let stderr = ''
  child.stderr.on('data', (bytes: Buffer) => (stderr += bytes.toString()))
  const exited = once(child, 'exit')
  const kill = () => child.kill('SIGKILL')
  process.once('exit', kill)

  async function close() {
    process.off('exit', kill)
    kill()
    if (child.exitCode === null && child.signalCode === null) await exited
    folder.remove()
  }

  for (let attempt = 0; await isPortFree(port); attempt++) {
    if (child.exitCode === null && attempt < 200) await delay(25)
    else {
      await close()
      throw new Error(`pgbouncer does not listen on ${port}:\n${stderr}`)
    }
  }
  server.host = `127.0.0.1:${port}`
  return { url: server.href, close }
}
