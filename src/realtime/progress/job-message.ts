// The newest state of a followed run, and its message, which is encoded once for all followers.

import { encodeMessage } from '../../contract/realtime.ts'
import { isFinished } from '../../domain/status.ts'
import { toProgress } from './describe.ts'
import type { JobRow } from './statements.ts'

export interface JobUpdate {
  row: JobRow
  /** The encoded `job_progress` message. */
  message: Buffer
  isTerminal: boolean
  /** It is of the latest run. */
  isLatest: boolean
}

export interface VersionedUpdate extends JobUpdate {
  /** From 1 on; one more for each state that followers must see. */
  version: number
}

interface Current extends VersionedUpdate {
  /** Equal for states that look the same to followers. */
  key: string
  encodedMs: number
}

/** A message that is older is encoded again: its timestamp and its estimate are out of date. */
const maxMessageAgeMs = 10

export type JobMessage = ReturnType<typeof createJobMessage>

/** `now` is a clock that is never set, in ms. */
export function createJobMessage(id: string, now: () => number) {
  let current: Current | undefined

  const encode = (data: ReturnType<typeof toProgress>) =>
    encodeMessage('job_progress', { job_id: id, data })

  return {
    /** As it was encoded last; undefined before the first state. */
    current: (): VersionedUpdate | undefined => current,

    /** True when followers must see the state. */
    set(row: JobRow, isLatest: boolean): boolean {
      const data = toProgress(row)
      const key = JSON.stringify({ ...data, estimated_completion: null, run: row.run })
      if (current && key === current.key) {
        current = { ...current, row, isLatest }
        return false
      }
      const version = (current?.version ?? 0) + 1
      const isTerminal = isFinished(row.status)
      current = { row, key, version, isTerminal, isLatest, message: encode(data), encodedMs: now() }
      return true
    },

    /** All that ask at the same time share the bytes. */
    fresh(): VersionedUpdate | undefined {
      if (!current || now() - current.encodedMs < maxMessageAgeMs) return current
      current = { ...current, message: encode(toProgress(current.row)), encodedMs: now() }
      return current
    },
  }
}
