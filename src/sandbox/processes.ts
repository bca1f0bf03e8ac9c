// What the sandbox has to know about processes it did not start itself: does one live, when did it
// start, what is it. Nothing is signalled on the word of a pid file alone, since pids are used
// again.

import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'

const hasProc = existsSync('/proc/self/stat')

/** False also for a zombie: inside a container nobody may ever collect an orphan. */
export function isAlive(pid: number): boolean {
  const state = hasProc ? statOf(pid)?.state : ps(pid, 'stat=')
  return state !== undefined && state !== '' && !/^[ZX]/.test(state)
}

/**
 * When the process started, as the system writes it: with the pid it names one process for good.
 */
export function startTimeOf(pid: number): string | undefined {
  return hasProc ? statOf(pid)?.start : ps(pid, 'lstart=') || undefined
}

/** The command line; its arguments are joined with spaces. */
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
  return pids.filter((child) => statOf(child)?.parent === pid)
}

/** Sends a signal; a process that is gone already is no error. */
export function sendSignal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/** Whether the process is gone within `withinMs`. */
export async function waitForExit(pid: number, withinMs: number): Promise<boolean> {
  const deadline = performance.now() + withinMs
  while (isAlive(pid)) {
    if (performance.now() > deadline) return false
    await delay(10)
  }
  return true
}

function statOf(pid: number): { state: string; parent: number; start: string } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The command's name stands in brackets and may itself hold brackets and spaces: what follows
    // the last one is regular.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return { state: fields[0] ?? '', parent: Number(fields[1]), start: fields[19] ?? '' }
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
