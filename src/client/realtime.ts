// The progress of presentations as the gateway sends it to people: states and sentences, not
// events.

import { GatewayError } from './errors.ts'
import type { MessageData } from './event-stream.ts'
import { type FollowRealtime, messageError, NoSocket } from './follow-realtime.ts'
import { merge, type Source } from './merge.ts'
import type { Requests } from './requests.ts'
import type { CallOptions, JobMessage } from './types.ts'

export interface RealtimeClientOptions {
  requests: Pick<Requests, 'send'>
  followRealtime: FollowRealtime
}

/** Of one connection, the first one counted. */
const maxJobs = 100
/** The gateway takes 60 messages at once, then 20 a second. */
const batch = 15
const batchMs = 1_000
/** Browsers open six connections to one origin over HTTP/1.1. */
const streamsAtOnce = 4
/** How long a stream keeps its place, from its first state on, while others wait for one. */
const turnMs = 2_000
const terminal = ['completed', 'failed', 'cancelled']

export function createRealtime({ requests, followRealtime }: RealtimeClientOptions) {
  async function isDeleted(id: string, signal: AbortSignal | undefined): Promise<boolean> {
    try {
      await requests.send({ path: `/presentations/${encodeURIComponent(id)}`, signal })
      return false
    } catch (error) {
      if (isNotFound(error)) return true
      throw error
    }
  }

  /** `known` holds those whose state was given before: no error when they are gone. */
  async function* followSome(
    ids: readonly string[],
    known: Set<string>,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<JobMessage, void, undefined> {
    const open = new Set(ids)
    let unanswered: string[] = []
    let timer: ReturnType<typeof setInterval> | undefined
    /** The presentation in the URL of the connection. */
    const first = () => [...open][0] ?? ''
    const subject = {
      path: () => `generation/${encodeURIComponent(first())}`,
      needsSocket: ids.length > 1,
      async onRefused() {
        const id = first()
        return known.has(id) && (await isDeleted(id, signal)) ? [jobDeleted(id)] : []
      },
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

    /** What the message says of a presentation. @throws GatewayError */
    function read(message: MessageData): JobMessage | undefined {
      const id = String(message['job_id'] ?? message['request_id'])
      if (message.type === 'subscribed') unanswered = unanswered.filter((other) => other !== id)
      if (message.type !== 'error') return asJobMessage(message)
      const error = messageError(message)
      if (!error) return undefined
      if (!isNotFound(error) || !known.has(id)) throw error
      unanswered = unanswered.filter((other) => other !== id)
      return asJobMessage(jobDeleted(id))
    }

    try {
      for await (const message of followRealtime(subject, signal)) {
        const ofJob = read(message)
        if (!ofJob || !open.has(ofJob.job_id)) continue
        known.add(ofJob.job_id)
        if (hasEnded(ofJob)) open.delete(ofJob.job_id)
        yield ofJob
        if (open.size === 0) return
      }
    } catch (error) {
      // The stream of one that was deleted while there was no connection.
      if (open.size !== 1 || !isNotFound(error) || !known.has(first())) throw error
      yield jobDeleted(first())
    } finally {
      clearInterval(timer)
    }
  }

  /** A few streams at once, in turns, so that each presentation has one again and again. */
  function followInTurns(
    ids: readonly string[],
    known: Set<string>,
    signal: AbortSignal | undefined,
  ) {
    const waiting: Source<JobMessage>[] = []
    for (const id of ids) {
      let last = ''
      const source: Source<JobMessage> = async function* takeLoopTurn(stop) {
        const turn = new AbortController()
        const both = AbortSignal.any([stop, turn.signal])
        let timer: ReturnType<typeof setInterval> | undefined
        try {
          for await (const message of followSome([id], known, both)) {
            timer ??= setInterval(() => waiting.length > 0 && turn.abort(), turnMs)
            // Each turn begins with the state that the one before ended with.
            const state = JSON.stringify({ ...message, timestamp: '' })
            if (state !== last) yield message
            last = state
          }
        } catch (error) {
          if (!turn.signal.aborted || stop.aborted) throw error
          waiting.push(source)
        } finally {
          clearInterval(timer)
        }
      }
      waiting.push(source)
    }
    return merge(waiting, { atOnce: streamsAtOnce, signal })
  }

  /** Over one WebSocket, or over streams of server-sent events. */
  async function* followAll(ids: string[], signal: AbortSignal | undefined) {
    if (ids.length === 0) return
    const ended = new Set<string>()
    const known = new Set<string>()
    try {
      for await (const message of followSome(ids, known, signal)) {
        if (hasEnded(message)) ended.add(message.job_id)
        yield message
      }
    } catch (error) {
      if (!(error instanceof NoSocket)) throw error
      const left = ids.filter((id) => !ended.has(id))
      yield* followInTurns(left, known, signal)
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

const isNotFound = (error: unknown) => error instanceof GatewayError && error.code === 'NOT_FOUND'

/** What the gateway sends of a deletion, for one that happened between two connections. */
const jobDeleted = (id: string) => ({
  type: 'job_deleted' as const,
  job_id: id,
  timestamp: new Date().toISOString(),
})

/** Undefined for messages that are not about a state. */
function asJobMessage(message: MessageData): JobMessage | undefined {
  const isOfJob = message.type === 'job_progress' || message.type === 'job_deleted'
  return isOfJob ? (message as unknown as JobMessage) : undefined
}
