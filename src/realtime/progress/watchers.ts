// Watchers get each change of status or stage of a run, without a limit, from their start on.

import type { JobRow } from './statements.ts'

export interface Watcher {
  onState(row: JobRow): void
  onDeleted(id: string): void
}

export function createWatchers() {
  /** The status and stage that each knows; undefined before it is started. */
  const known = new Map<Watcher, string | undefined>()

  return {
    count: () => known.size,
    all: () => [...known.keys()],
    add: (watcher: Watcher) => void known.set(watcher, undefined),
    remove: (watcher: Watcher) => void known.delete(watcher),
    clear: () => known.clear(),

    /** The present state only says where the changes begin. */
    start(watcher: Watcher, row: JobRow | undefined) {
      if (row && known.has(watcher)) known.set(watcher, stateOf(row))
    },

    report(rows: JobRow[]) {
      for (const [watcher, state] of known) {
        if (state === undefined) continue
        let last = state
        for (const row of rows) {
          if (stateOf(row) === last) continue
          last = stateOf(row)
          known.set(watcher, last)
          watcher.onState(row)
        }
      }
    },
  }
}

const stateOf = ({ status, stage }: JobRow) => `${status} ${stage}`
