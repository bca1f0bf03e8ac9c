// One Postgres process on one data folder: started, watched until it is ready, stopped, killed; and
// the same for a server that an earlier process of ours left running.

import { spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type Account, environment } from './postgres-account.ts'
import { childrenOf, commandOf, isAlive, sendSignal, waitForExit } from './processes.ts'

export interface ServerOptions {
  account: Account
  programs: string
  data: string
  log: string
  port: number
  durable: boolean
}

/** Thrown when the port was taken: another one may do. */
export class PortTaken extends Error {}

/** Starts a server; resolves once it accepts connections. */
export async function startServer({
  account,
  programs,
  data,
  log,
  port,
  durable,
}: ServerOptions): Promise<void> {
  const output = openSync(log, 'w')
  const settings = {
    listen_addresses: '127.0.0.1',
    // TCP only: the path of a socket in a deep checkout is longer than the system allows (about 100
    // bytes).
    unix_socket_directories: '',
    max_connections: 200,
    shared_buffers: '64MB',
    jit: 'off',
    timezone: 'UTC',
    // A killed server may lose nothing that it confirmed: tests depend on it. So only what guards
    // against the machine's own crash is left out; `synchronous_commit` stays on.
    ...(durable
      ? {}
      : { fsync: 'off', full_page_writes: 'off', wal_level: 'minimal', max_wal_senders: 0 }),
  }
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const [program = '', ...args] = [
    ...account.prefix,
    join(programs, 'bin', 'postgres'),
    '-D',
    data,
    '-p',
    String(port),
    ...flags,
  ]
  // Detached: Ctrl-C in the terminal is for us, and we stop the server when the gateway is done
  // with it.
  const child = spawn(program, args, {
    ...account.ids,
    cwd: '/',
    detached: true,
    stdio: ['ignore', output, output],
    env: environment(),
  })
  closeSync(output)
  let ended: string | undefined
  child.once('error', (error) => (ended = error.message))
  child.once('exit', (code, name) => (ended ??= `exit ${code ?? name}`))
  child.unref()

  const deadline = performance.now() + 60_000
  while (readPidFile(data)?.status !== 'ready' || readPidFile(data)?.pid !== child.pid) {
    if (ended || performance.now() > deadline) {
      if (child.pid && !ended) await killTree(child.pid)
      const said = readFileSync(log, 'utf8').trim().split('\n').slice(-15).join('\n')
      if (/could not bind|could not create any TCP/.test(said))
        throw new PortTaken(`port ${port} is taken`)
      throw new Error(
        `the embedded Postgres did not start (${ended ?? 'not ready in 60 s'}):\n${said}`,
      )
    }
    await delay(10)
  }
}

/** The pid of the server that runs on this data folder, if it really is one. */
export function findServer(data: string): number | undefined {
  const pid = readPidFile(data)?.pid
  if (pid === undefined || !isAlive(pid)) return undefined
  const command = commandOf(pid)
  return command.includes('postgres') && command.split(' -c ')[0]?.includes(`-D ${data} `)
    ? pid
    : undefined
}

/**
 * Stops whatever server runs on this data folder, ours of now or of an earlier process, and clears
 * its pid file.
 */
export async function stopServer(data: string): Promise<void> {
  const pid = findServer(data)
  if (pid !== undefined) {
    sendSignal(pid, 'SIGINT')
    if (!(await waitForExit(pid, 15_000))) await killTree(pid)
  }
  // A pid file whose pid is somebody else's by now would make Postgres refuse to start.
  rmSync(join(data, 'postmaster.pid'), { force: true })
}

/** `kill -9` for the server and each of its processes. */
export async function killServer(data: string): Promise<void> {
  const pid = findServer(data)
  if (pid !== undefined) await killTree(pid)
}

async function killTree(pid: number): Promise<void> {
  // Stopped first, so that it starts no more children while they are counted.
  sendSignal(pid, 'SIGSTOP')
  const all = [...childrenOf(pid), pid]
  for (const one of all) sendSignal(one, 'SIGKILL')
  await Promise.all(all.map((one) => waitForExit(one, 5_000)))
}

function readPidFile(data: string): { pid: number; status: string } | undefined {
  try {
    const lines = readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n')
    return { pid: Number(lines[0]), status: lines[7]?.trim() ?? '' }
  } catch {
    return undefined
  }
}
