// What a generation connection carries: the progress of the presentation in its URL, and over a
// WebSocket also of others that the client subscribes to.

import { encodeError, encodeMessage } from '../../contract/realtime.ts'
import { parseId } from '../../domain/ids.ts'
import type { ClientMessage } from '../client-messages.ts'
import type { Connection, Session } from '../connection.ts'
import type { Follower } from './job-followers.ts'
import type { JobUpdate } from './job-message.ts'
import type { Jobs } from './jobs.ts'

export interface GenerationSessionOptions {
  connection: Connection
  jobs: Pick<Jobs, 'find' | 'follow' | 'followOwn' | 'start' | 'catchUp' | 'repeat' | 'unfollow'>
  /** The presentation of the URL, which is known to be this user's. */
  jobId: string
  /** The connection ends with the terminal state of the latest run, and with a deletion. */
  endsWithRun: boolean
}

interface Followed extends Follower {
  /** The client has not subscribed, or no longer: only a deletion of the URL's is reported. */
  isMuted: boolean
}

/** Those of the URL's presentation count as well. */
const maxJobs = 100

export function openGenerationSession(options: GenerationSessionOptions): Session {
  const { connection, jobs, jobId, endsWithRun } = options
  const followed = new Map<string, Followed>()

  function createFollower(id: string): Followed {
    const follower: Followed = {
      isMuted: false,
      isReady: () => !follower.isMuted && connection.isReady(),
      isSubscribed: () => !follower.isMuted,
      onUpdate(update) {
        if (!follower.isMuted) send(update)
      },
      onDeleted() {
        if (!followed.delete(id)) return
        if (!follower.isMuted) connection.send(encodeMessage('job_deleted', { job_id: id }))
        if (id === jobId) connection.close('deleted')
      },
    }
    return follower
  }

  function send({ message, isTerminal, isLatest }: JobUpdate) {
    connection.send(message)
    if (endsWithRun && isTerminal && isLatest) connection.close('finished')
  }

  async function subscribe(id: string, requestId: string | undefined): Promise<void> {
    const known = followed.get(id)
    if (known) {
      known.isMuted = false
      answer('subscribed', id, requestId)
      // The state again, also for a client that has it: it asked.
      return jobs.repeat(id, known)
    }
    if (followed.size >= maxJobs) {
      return connection.send(encodeError('TOO_MANY_SUBSCRIPTIONS', requestId))
    }
    const follower = createFollower(id)
    const isOwn = await jobs.follow({ userId: connection.userId, id }, follower)
    if (!isOwn) return connection.send(encodeError('NOT_FOUND', requestId))
    if (!connection.isOpen()) return jobs.unfollow(id, follower)
    followed.set(id, follower)
    answer('subscribed', id, requestId)
    jobs.start(id, follower)
  }

  async function unsubscribe(id: string, requestId: string | undefined): Promise<void> {
    const follower = followed.get(id)
    if (!follower && !(await jobs.find({ userId: connection.userId, id }))) {
      return connection.send(encodeError('NOT_FOUND', requestId))
    }
    if (follower && id === jobId) follower.isMuted = true
    else if (follower) {
      followed.delete(id)
      jobs.unfollow(id, follower)
    }
    answer('unsubscribed', id, requestId)
  }

  function answer(type: 'subscribed' | 'unsubscribed', id: string, requestId?: string) {
    connection.send(encodeMessage(type, { job_id: id }, { requestId }))
  }

  connection.send(
    encodeMessage('connected', {
      connection_id: connection.id,
      job_id: jobId,
      user_id: connection.userId,
    }),
  )
  const first = createFollower(jobId)
  followed.set(jobId, first)
  jobs.followOwn(jobId, first)

  return {
    onReady() {
      for (const [id, follower] of followed) if (!follower.isMuted) jobs.catchUp(id, follower)
    },
    async onMessage({ type, requestId, members }: ClientMessage) {
      const { job_id: given } = members
      if (typeof given !== 'string')
        return connection.send(encodeError('VALIDATION_FAILED', requestId))
      const id = parseId(given)
      if (id === undefined) return connection.send(encodeError('NOT_FOUND', requestId))
      return type === 'subscribe_job' ? subscribe(id, requestId) : unsubscribe(id, requestId)
    },
    onClose() {
      for (const [id, follower] of followed) jobs.unfollow(id, follower)
      followed.clear()
    },
  }
}
