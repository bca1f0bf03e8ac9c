// Questions about processes that the sandbox did not start in this process: is one alive, when did
// it start, which command does it run. A pid file alone is no proof, since pids are used again.

import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'

const hasProc = existsSync('/proc/self/stat')

/** False for a zombie, too: in a container without an init process an orphan may stay one. */
export function isAlive(pid: number): boolean {
  const state = hasProc ? readStat(pid)?.state : ps(pid, 'stat=')
  return state !== undefined && state !== '' && !/^[ZX]/.test(state)
}

/** The start time in the system's own format. Together with the pid it identifies one process. */
export function startTimeOf(pid: number): string | undefined {
  return hasProc ? readStat(pid)?.startTime : ps(pid, 'lstart=') || undefined
}

/** The command line, its arguments joined with spaces. */
export function commandOf(pid: number): string {
  if (!hasProc) return ps(pid, 'command=') ?? ''
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim()
  } catch {
    return ''
  }
}

export function childrenOf(pid: number): number[] {
  if (!hasProc) {
    const rows = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' })
      .trim()
      .split('\n')
    return rows
      .map((row) => row.trim().split(/\s+/).map(Number))
      .flatMap(([child, parent]) => (parent === pid && child ? [child] : []))
  }
  const pids = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
  return pids.filter((child) => readStat(child)?.parent === pid)
}

/** Sends a signal. A process that has already ended is not an error. */
export function sendSignal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/** Resolves with true when the process has ended, with false after `timeoutMs`. */
export async function waitForExit(pid: number, timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs
  while (isAlive(pid)) {
    if (performance.now() > deadline) return false
    await delay(10)
  }
  return true
}

function readStat(pid: number): { state: string; parent: number; startTime: string } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The command name is in brackets and may contain brackets and spaces itself, so the fields are
    // read behind the last bracket.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return { state: fields[0] ?? '', parent: Number(fields[1]), startTime: fields[19] ?? '' }
  } catch {
    return undefined
  }
}

function ps(pid: number, column: string): string | undefined {
  try {
    return execFileSync('ps', ['-ww', '-o', column, '-p', String(pid)], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim()
  } catch {
    return undefined
  }
}
