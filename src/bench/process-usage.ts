// CPU time and memory of a process, from Linux's /proc. On other systems the figures are NaN.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'

/**
 * CPU time of all its living threads so far, in seconds: with the kernel's nanoseconds where it has
 * them, else with its ticks of 10 ms.
 */
export function cpuSeconds(pid: number): number {
  try {
    const threads = readdirSync(`/proc/${pid}/task`)
    const nanoseconds = threads.map((thread) =>
      Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]),
    )
    return nanoseconds.reduce((sum, threadTime) => sum + threadTime, 0) / 1e9
  } catch {
    return cpuSecondsFromTicks(pid)
  }
}

function cpuSecondsFromTicks(pid: number): number {
  const fields = readStat(pid)
  return (Number(fields[11]) + Number(fields[12])) / 100
}

/**
 * CPU time of a Postgres server, its ended processes included. `backend` is one of its processes.
 */
export function postgresCpuSeconds(backend: number): number {
  const server = Number(readStat(backend)[1])
  const fields = readStat(server)
  const endedSeconds = (Number(fields[13]) + Number(fields[14])) / 100
  let seconds = cpuSeconds(server) + endedSeconds
  for (const pid of listPids()) if (Number(readStat(pid)[1]) === server) seconds += cpuSeconds(pid)
  return seconds
}

export function memoryBytes(pid: number): number {
  return readStatusBytes(pid, 'VmRSS')
}

/** The most memory that it has used since the last `resetPeakMemory`. */
export function peakMemoryBytes(pid: number): number {
  return readStatusBytes(pid, 'VmHWM')
}

export function resetPeakMemory(pid: number): void {
  try {
    writeFileSync(`/proc/${pid}/clear_refs`, '5')
  } catch {
    // Without the right to reset it, the peak since the process started is an upper bound.
  }
}

/** How many files and sockets this process may have open. */
export function openFilesLimit(): number {
  try {
    return Number(/Max open files\s+(\d+)/.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1])
  } catch {
    return 1024
  }
}

function readStatusBytes(pid: number, name: string): number {
  try {
    const kib = new RegExp(`${name}:\\s+(\\d+) kB`).exec(
      readFileSync(`/proc/${pid}/status`, 'utf8'),
    )?.[1]
    return Number(kib) * 1024
  } catch {
    return Number.NaN
  }
}

/** The fields behind the command name, which may contain brackets and spaces itself. */
function readStat(pid: number): string[] {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return text.slice(text.lastIndexOf(')') + 2).split(' ')
  } catch {
    return []
  }
}

function listPids(): number[] {
  try {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map(Number)
  } catch {
    return []
  }
}
