// How much memory the process uses of what it may: beyond that limit the kernel ends it.

import { totalmem } from 'node:os'

export interface Memory {
  /** Resident set, in bytes. */
  used: number
  /** Of the control group, or of the machine, in bytes. */
  limit: number
}

export function readMemory(): Memory {
  const machine = totalmem()
  // 0 or more than the machine has: the control group sets no limit.
  const group = process.constrainedMemory()
  const limit = group > 0 && group < machine ? group : machine
  return { used: process.memoryUsage.rss(), limit }
}

const degradedFrom = 0.9

export function describeMemory({ used, limit }: Memory) {
  const isTight = used > degradedFrom * limit
  return { status: isTight ? ('degraded' as const) : ('ok' as const), used, limit }
}
