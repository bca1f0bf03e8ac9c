// The channels `presentation_{id}` of one connection: a message for each change of status or stage,
// live only.

import { encodeMessage } from '../contract/realtime.ts'
import type { MessageErrorCode } from '../contract/realtime-messages.ts'
import { parseId } from '../domain/ids.ts'
import type { Connection } from '../realtime/connection.ts'
import type { Jobs } from '../realtime/progress/jobs.ts'
import type { Watcher } from '../realtime/progress/watchers.ts'

export interface StatusChannelsOptions {
  connection: Connection
  jobs: Pick<Jobs, 'find' | 'watch' | 'unwatch'>
}

const maxChannels = 100
const prefix = 'presentation_'

type Refusal = Extract<MessageErrorCode, 'NOT_FOUND' | 'TOO_MANY_SUBSCRIPTIONS'>

export function createStatusChannels({ connection, jobs }: StatusChannelsOptions) {
  const { userId } = connection
  const watched = new Map<string, Watcher>()

  // These messages are few and small, and none replaces another, so a slow client gets them too.
  const createWatcher = (id: string): Watcher => ({
    onState({ status, stage }) {
      connection.send(encodeMessage('presentation_status', { presentation_id: id, status, stage }))
    },
    onDeleted: () => void watched.delete(id),
  })

  const idOf = (channel: string) =>
    channel.startsWith(prefix) ? parseId(channel.slice(prefix.length)) : undefined

  return {
    count: () => watched.size,

    async subscribe(channel: string): Promise<Refusal | undefined> {
      const id = idOf(channel)
      if (id === undefined) return 'NOT_FOUND'
      if (watched.has(id)) return undefined
      if (watched.size >= maxChannels) return 'TOO_MANY_SUBSCRIPTIONS'
      const watcher = createWatcher(id)
      if (!(await jobs.watch({ userId, id }, watcher))) return 'NOT_FOUND'
      if (!connection.isOpen()) jobs.unwatch(id, watcher)
      else watched.set(id, watcher)
      return undefined
    },

    async unsubscribe(channel: string): Promise<Refusal | undefined> {
      const id = idOf(channel)
      if (id === undefined) return 'NOT_FOUND'
      const watcher = watched.get(id)
      if (!watcher) return (await jobs.find({ userId, id })) ? undefined : 'NOT_FOUND'
      watched.delete(id)
      jobs.unwatch(id, watcher)
      return undefined
    },

    close() {
      for (const [id, watcher] of watched) jobs.unwatch(id, watcher)
      watched.clear()
    },
  }
}
