// What a process uses, as Linux tells it in /proc: CPU time and memory. Elsewhere nothing is known,
// and NaN stands for it.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'

/**
 * CPU time of all its threads so far, in seconds: to the nanosecond where the kernel keeps it, else
 * to its ticks of 10 ms.
 */
export function cpuSeconds(pid: number): number {
  try {
    const threads = readdirSync(`/proc/${pid}/task`)
    const nanoseconds = threads.map((thread) =>
      Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]),
    )
    return nanoseconds.reduce((sum, one) => sum + one, 0) / 1e9
  } catch {
    return ticks(pid)
  }
}

function ticks(pid: number): number {
  const fields = statOf(pid)
  return (Number(fields[11]) + Number(fields[12])) / 100
}

/**
 * CPU time of a Postgres server: its processes that live, and those that ended. `backend` is one of
 * them.
 */
export function serverCpuSeconds(backend: number): number {
  const server = Number(statOf(backend)[1])
  const ended = statOf(server)
  let seconds = cpuSeconds(server) + (Number(ended[13]) + Number(ended[14])) / 100
  for (const pid of pids()) if (Number(statOf(pid)[1]) === server) seconds += cpuSeconds(pid)
  return seconds
}

export function memoryBytes(pid: number): number {
  return field(pid, 'VmRSS')
}

/** The most memory it had since the last `forgetPeak`. */
export function peakBytes(pid: number): number {
  return field(pid, 'VmHWM')
}

export function forgetPeak(pid: number): void {
  try {
    writeFileSync(`/proc/${pid}/clear_refs`, '5')
  } catch {
    // The peak of its whole life is an upper bound.
  }
}

/** How many files and sockets a process of ours may have open. */
export function openFilesLimit(): number {
  try {
    return Number(/Max open files\s+(\d+)/.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1])
  } catch {
    return 1024
  }
}

function field(pid: number, name: string): number {
  try {
    const kib = new RegExp(`${name}:\\s+(\\d+) kB`).exec(
      readFileSync(`/proc/${pid}/status`, 'utf8'),
    )?.[1]
    return Number(kib) * 1024
  } catch {
    return Number.NaN
  }
}

/** The fields behind the name, which may itself hold brackets and blanks. */
function statOf(pid: number): string[] {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return text.slice(text.lastIndexOf(')') + 2).split(' ')
  } catch {
    return []
  }
}

function pids(): number[] {
  try {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map(Number)
  } catch {
    return []
  }
}
