// One run that connections of this process follow: takes its states as they are read, and passes
// them on to followers, at a bounded pace, and to watchers, each change.

import { rowAfter, rowAtEnd } from './describe.ts'
import { createJobFollowers } from './job-followers.ts'
import { createJobMessage } from './job-message.ts'
import type { JobRow, StateEventRow } from './statements.ts'
import { createWatchers, type Watcher } from './watchers.ts'

export type Job = ReturnType<typeof createJob>

/** `now` is a clock that is never set, in ms. */
export function createJob(id: string, now: () => number) {
  const message = createJobMessage(id, now)
  const watchers = createWatchers()
  const isWatched = () => watchers.count() > 0
  const followers = createJobFollowers({ message, isWatched, now })
  const row = () => message.current()?.row

  function offer(state: JobRow, isLatest: boolean) {
    if (!message.set(state, isLatest)) return
    if (message.current()?.isTerminal) followers.sendNow()
    else followers.sendWhenAllowed()
  }

  function endAsDeleted() {
    const all = [...followers.all(), ...watchers.all()]
    followers.clear()
    watchers.clear()
    for (const each of all) each.onDeleted(id)
  }

  /** The states that no read has seen. */
  function statesOf(changes: StateEventRow[]): JobRow[] {
    const states: JobRow[] = []
    for (const change of changes) {
      const known = states.at(-1) ?? row()
      if (known) states.push(rowAfter(known, change))
    }
    return states
  }

  return {
    id,
    row,
    waitMs: followers.waitMs,
    isIdle: () => followers.count() === 0 && !isWatched(),
    isWatched,
    subscriptions: followers.subscriptions,

    add: followers.add,
    start: followers.start,
    catchUp: followers.catchUp,
    repeat: followers.repeat,
    remove: followers.remove,

    watch: watchers.add,
    startWatching: (watcher: Watcher) => watchers.start(watcher, row()),
    unwatch: watchers.remove,

    /**
     * A newer state, after the ends of runs and the changes that were missed. Undefined: it was
     * deleted.
     */
    take(
      state: JobRow | undefined,
      missedEnds: StateEventRow[],
      missedChanges: StateEventRow[] = [],
    ) {
      if (!state) return endAsDeleted()
      const missed = statesOf(missedChanges)
      for (const end of missedEnds) {
        const known = row()
        if (known) offer(rowAtEnd(known, end), false)
      }
      offer(state, true)
      followers.startWaiting()
      watchers.report([...missed, state])
    },
  }
}
