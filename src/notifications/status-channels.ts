// The channels `presentation_{id}` of one connection: a message for each change of status or stage,
// live only.

import { encodeMessage } from '../contract/realtime.ts'
import type { MessageErrorCode } from '../contract/realtime-messages.ts'
import { parseId } from '../domain/ids.ts'
import type { Connection } from '../realtime/connection.ts'
import type { Follower } from '../realtime/progress/job.ts'
import type { Jobs } from '../realtime/progress/jobs.ts'

export interface StatusChannelsOptions {
  connection: Connection
  jobs: Pick<Jobs, 'find' | 'follow' | 'start' | 'unfollow'>
}

const maxChannels = 100
const prefix = 'presentation_'

type Refusal = Extract<MessageErrorCode, 'NOT_FOUND' | 'TOO_MANY_SUBSCRIPTIONS'>

export function createStatusChannels({ connection, jobs }: StatusChannelsOptions) {
  const { userId } = connection
  const followed = new Map<string, Follower>()

  function createFollower(id: string): Follower {
    let last: string | undefined
    return {
      // These messages are few and small, and none replaces another.
      isReady: () => true,
      onUpdate({ row: { status, stage } }) {
        const state = `${status} ${stage}`
        const isFirst = last === undefined
        if (state === last) return
        last = state
        // The first update only says where the changes begin.
        if (isFirst) return
        connection.send(
          encodeMessage('presentation_status', { presentation_id: id, status, stage }),
        )
      },
      onDeleted: () => void followed.delete(id),
    }
  }

  const idOf = (channel: string) =>
    channel.startsWith(prefix) ? parseId(channel.slice(prefix.length)) : undefined

  return {
    count: () => followed.size,

    async subscribe(channel: string): Promise<Refusal | undefined> {
      const id = idOf(channel)
      if (id === undefined) return 'NOT_FOUND'
      if (followed.has(id)) return undefined
      if (followed.size >= maxChannels) return 'TOO_MANY_SUBSCRIPTIONS'
      const follower = createFollower(id)
      if (!(await jobs.follow({ userId, id }, follower))) return 'NOT_FOUND'
      if (!connection.isOpen()) jobs.unfollow(id, follower)
      else followed.set(id, follower)
      jobs.start(id, follower)
      return undefined
    },

    async unsubscribe(channel: string): Promise<Refusal | undefined> {
      const id = idOf(channel)
      if (id === undefined) return 'NOT_FOUND'
      const follower = followed.get(id)
      if (!follower) return (await jobs.find({ userId, id })) ? undefined : 'NOT_FOUND'
      followed.delete(id)
      jobs.unfollow(id, follower)
      return undefined
    },

    close() {
      for (const [id, follower] of followed) jobs.unfollow(id, follower)
      followed.clear()
    },
  }
}
