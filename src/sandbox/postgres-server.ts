// Starts, finds, stops and kills the Postgres server of one data directory, including a server that
// an earlier process of ours left running.

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

/** The port is taken. The caller may try another one. */
export class PortTaken extends Error {}

/**
 * Resolves once the server accepts connections. Throws PortTaken, or an error with the log's end.
 */
export async function startServer({
  account,
  programs,
  data,
  log,
  port,
  durable,
}: ServerOptions): Promise<void> {
  const logFile = openSync(log, 'w')
  const settings = {
    listen_addresses: '127.0.0.1',
    // TCP only: in a deep checkout a socket's path exceeds the system's limit of about 100 bytes.
    unix_socket_directories: '',
    max_connections: 200,
    shared_buffers: '64MB',
    jit: 'off',
    timezone: 'UTC',
    // Tests need a killed server to keep what it has confirmed, so `synchronous_commit` stays on.
    // Only the protection against a crash of the machine itself is off.
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
  // Detached, so that Ctrl-C in the terminal does not stop the server before the gateway.
  const child = spawn(program, args, {
    ...account.ids,
    cwd: '/',
    detached: true,
    stdio: ['ignore', logFile, logFile],
    env: environment(),
  })
  closeSync(logFile)
  let ended: string | undefined
  child.once('error', (error) => (ended = error.message))
  child.once('exit', (code, name) => (ended ??= `exit ${code ?? name}`))
  child.unref()

  const deadline = performance.now() + 60_000
  while (readPidFile(data)?.status !== 'ready' || readPidFile(data)?.pid !== child.pid) {
    if (ended || performance.now() > deadline) {
      if (child.pid && !ended) await killTree(child.pid)
      const output = readFileSync(log, 'utf8').trim().split('\n').slice(-15).join('\n')
      if (/could not bind|could not create any TCP/.test(output))
        throw new PortTaken(`port ${port} is taken`)
      throw new Error(
        `the embedded Postgres did not start (${ended ?? 'not ready in 60 s'}):\n${output}`,
      )
    }
    await delay(10)
  }
}

/** The pid of the server that runs on this data directory, checked by its command line. */
export function findServer(data: string): number | undefined {
  const pid = readPidFile(data)?.pid
  if (pid === undefined || !isAlive(pid)) return undefined
  const command = commandOf(pid)
  return command.includes('postgres') && command.split(' -c ')[0]?.includes(`-D ${data} `)
    ? pid
    : undefined
}

/** Stops the server of this data directory, if one runs, and removes its pid file. */
export async function stopServer(data: string): Promise<void> {
  const pid = findServer(data)
  if (pid !== undefined) {
    sendSignal(pid, 'SIGINT')
    if (!(await waitForExit(pid, 15_000))) await killTree(pid)
  }
  // Postgres refuses to start if another process has the pid in this file by now.
  rmSync(join(data, 'postmaster.pid'), { force: true })
}

/** `kill -9` for the server and all its processes. */
export async function killServer(data: string): Promise<void> {
  const pid = findServer(data)
  if (pid !== undefined) await killTree(pid)
}

async function killTree(pid: number): Promise<void> {
  // Paused first, so that it starts no more children while they are listed.
  sendSignal(pid, 'SIGSTOP')
  const all = [...childrenOf(pid), pid]
  for (const member of all) sendSignal(member, 'SIGKILL')
  await Promise.all(all.map((member) => waitForExit(member, 5_000)))
}

function readPidFile(data: string): { pid: number; status: string } | undefined {
  try {
    const lines = readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n')
    return { pid: Number(lines[0]), status: lines[7]?.trim() ?? '' }
  } catch {
    return undefined
  }
}
