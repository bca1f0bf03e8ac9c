// A client of the gateway for browsers and Node: typed calls that survive what passes, and event
// streams that resume by themselves.

import { createEventStreams } from './event-stream.ts'
import { createFollower } from './follow-events.ts'
import { createFollowRealtime } from './follow-realtime.ts'
import { createImages } from './images.ts'
import { createNotifications } from './notifications.ts'
import { createPresentations } from './presentations.ts'
import { createRealtime } from './realtime.ts'
import { createRequests } from './requests.ts'
import { createSession } from './session.ts'
import type { SocketClass } from './socket.ts'
import { createSources } from './sources.ts'
import { defaultTiming, type Timing } from './timing.ts'
import { createTokenSource, type Token } from './token.ts'
import type { CallOptions, Capabilities, Template, Usage } from './types.ts'
import { createWebhooks } from './webhooks.ts'

// biome-ignore lint/performance/noBarrelFile: the entry of a package has to name what it exports.
export { type ErrorCode, GatewayError } from './errors.ts'
export type { StreamedFile } from './streamed-form.ts'
export type * from './types.ts'

export interface ClientOptions {
  /** The gateway's origin, and its prefix if it has one: what comes before `/api/v1`. */
  baseUrl: string
  /** A bearer token, or a function that returns one; it is asked again when one is refused. */
  token?: Token | undefined
  /** `include` sends the session cookie to another origin. */
  credentials?: 'include' | 'omit' | 'same-origin' | undefined
  /** Default: the global one. */
  fetch?: typeof fetch | undefined
  /**
   * Default: the global one, which Node has from version 22 on. Without one, or where a proxy
   * refuses it, server-sent events take its place.
   */
  WebSocket?: SocketClass | undefined
  /** How long one attempt of a call may take. Default 90 s. */
  timeoutMs?: number | undefined
  /** An event stream without a byte for this long is opened again. Default 60 s. */
  silenceMs?: number | undefined
  /** Replaces the waits between attempts; for tests. */
  timing?: Timing | undefined
}

export type GatewayClient = ReturnType<typeof createClient>

/** Sends nothing before the first call. Failed calls reject with GatewayError. */
export function createClient({
  baseUrl,
  token,
  credentials,
  fetch: ownFetch,
  WebSocket: OwnSocket,
  timeoutMs = 90_000,
  silenceMs = 60_000,
  timing = defaultTiming,
}: ClientOptions) {
  const tokens = createTokenSource(token)
  const requests = createRequests({
    baseUrl,
    tokens,
    credentials,
    // Browsers refuse a fetch that is called as a method of something else.
    fetch: ownFetch ?? ((...call) => fetch(...call)),
    timeoutMs,
    timing,
  })
  const openEventStream = createEventStreams({ requests, silenceMs })
  const follow = createFollower({ openEventStream, tokens, timing })
  const Socket = OwnSocket ?? (globalThis as { WebSocket?: SocketClass }).WebSocket
  const followRealtime = createFollowRealtime({
    requests,
    openEventStream,
    tokens,
    timing,
    Socket,
    silenceMs,
  })
  return {
    presentations: createPresentations({ requests, follow, timing }),
    notifications: createNotifications({ requests, followRealtime }),
    realtime: createRealtime({ requests, followRealtime }),
    webhooks: createWebhooks(requests),
    templates: {
      list: async function* ({
        signal,
      }: CallOptions = {}): AsyncGenerator<Template, void, undefined> {
        yield* await requests.send<Template[]>({ path: '/templates', signal })
      },
    },
    sources: createSources(requests),
    images: createImages(requests),
    session: createSession(requests),
    /** What the connected generator can do. */
    capabilities: {
      get: ({ signal }: CallOptions = {}) =>
        requests.send<Capabilities>({ path: '/capabilities', signal }),
    },
    usage: {
      get: ({ signal }: CallOptions = {}) => requests.send<Usage>({ path: '/usage', signal }),
    },
  }
}
