// The progress of presentations as the gateway sends it to people: states and sentences, not events.

import type { MessageData } from './event-stream.ts'
import { type FollowRealtime, messageError, NoSocket } from './follow-realtime.ts'
import { merge } from './merge.ts'
import type { CallOptions, JobMessage } from './types.ts'

export interface RealtimeClientOptions {
  followRealtime: FollowRealtime
}

/** Of one connection, the first one counted. */
const maxJobs = 100
/** The gateway takes 60 messages at once, then 20 a second. */
const batch = 15
const batchMs = 1_000
/** Browsers open six connections to one origin over HTTP/1.1. */
const streamsAtOnce = 4
const terminal = ['completed', 'failed', 'cancelled']

export function createRealtime({ followRealtime }: RealtimeClientOptions) {
  async function* followSome(
    ids: string[],
    signal: AbortSignal | undefined,
  ): AsyncGenerator<JobMessage, void, undefined> {
    const open = new Set(ids)
    let unanswered: string[] = []
    let timer: ReturnType<typeof setInterval> | undefined
    const subject = {
      path: () => `generation/${encodeURIComponent([...open][0] ?? '')}`,
      needsSocket: ids.length > 1,
      onOpen(send: (message: object) => void) {
        clearInterval(timer)
        unanswered = [...open].slice(1)
        function subscribe() {
          // One that gets no answer, because it came too fast, has its turn again.
          for (const id of unanswered.splice(0, batch)) {
            send({ type: 'subscribe_job', job_id: id, request_id: id })
            unanswered.push(id)
          }
          if (unanswered.length === 0) clearInterval(timer)
        }
        timer = setInterval(subscribe, batchMs)
        subscribe()
      },
    }
    try {
      for await (const message of followRealtime(subject, signal)) {
        if (message.type === 'error') {
          if (message['error_code'] === 'RATE_LIMIT_EXCEEDED') continue
          throw messageError(message)
        }
        if (message.type === 'subscribed') {
          unanswered = unanswered.filter((id) => id !== message['job_id'])
        }
        const ofJob = asJobMessage(message)
        if (!ofJob || !open.has(ofJob.job_id)) continue
        if (hasEnded(ofJob)) open.delete(ofJob.job_id)
        yield ofJob
        if (open.size === 0) return
      }
    } finally {
      clearInterval(timer)
    }
  }

  /** Over one WebSocket, or over streams of server-sent events, a few at once. */
  async function* followAll(ids: string[], signal: AbortSignal | undefined) {
    if (ids.length === 0) return
    const ended = new Set<string>()
    try {
      for await (const message of followSome(ids, signal)) {
        if (hasEnded(message)) ended.add(message.job_id)
        yield message
      }
    } catch (error) {
      if (!(error instanceof NoSocket)) throw error
      const sources = ids
        .filter((id) => !ended.has(id))
        .map((id) => (stop: AbortSignal) => followSome([id], stop))
      yield* merge(sources, { atOnce: streamsAtOnce, signal })
    }
  }

  return {
    /**
     * The state of each presentation at once and after each change, until all have ended or were
     * deleted. At most 100.
     *
     * @throws GatewayError NOT_FOUND, and others that no reconnect solves
     */
    follow(
      ids: readonly string[],
      { signal }: CallOptions = {},
    ): AsyncGenerator<JobMessage, void, undefined> {
      if (ids.length > maxJobs) throw new RangeError(`at most ${maxJobs} presentations`)
      return followAll([...new Set(ids)], signal)
    },
  }
}

function hasEnded(message: JobMessage): boolean {
  return message.type === 'job_deleted' || terminal.includes(message.data.status)
}

/** Undefined for messages that are not about a state. */
function asJobMessage(message: MessageData): JobMessage | undefined {
  const isOfJob = message.type === 'job_progress' || message.type === 'job_deleted'
  return isOfJob ? (message as unknown as JobMessage) : undefined
}
