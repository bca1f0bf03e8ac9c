// Everything the gateway can ask of Presenton, and nothing that only one of its versions knows.
// Failures are Problems whose `failure` says what a run should do next; a caller's own abort
// rejects with its signal's reason instead.

import { type CallOptions, sharedAccount, type UpstreamAccount } from './account.ts'
import { type BreakerOptions, type BreakerState, createBreaker } from './breaker.ts'
import { createCallMetrics, type ObservedCall } from './call-metrics.ts'
import { createConnections } from './connection.ts'
import { createDecks, type Timeouts } from './decks.ts'
import { type Features, paths } from './dialect.ts'
import { createExchange } from './exchange.ts'
import { unavailable } from './failures.ts'
import { type OpenedFile, openMountedFile, openRemoteFile } from './file.ts'
import { type OpenedImage, openRemoteImage } from './image.ts'
import { type Credentials, createLogin } from './login.ts'
import { createProbe } from './probe.ts'
import type { Template } from './template-lists.ts'
import { createTemplates } from './templates.ts'

export interface PresentonOptions {
  /** Where its nginx listens, such as http://presenton. */
  url: string
  credentials?: Credentials | undefined
  apiKey?: string | undefined
  /** A mounted copy of its /app_data; files are then read from there. */
  appDataDir?: string | undefined
  timeouts: Timeouts
  breaker: BreakerOptions
  /** Bound of one message of a stream, and of any other answer that is read whole. */
  maxMessageBytes?: number
  logger: Logger
  onCall?: (call: ObservedCall) => void
  onBreaker?: (state: BreakerState) => void
  now?: () => number
}

type Log = (fields: object, message: string) => void
interface Logger {
  info: Log
  warn: Log
  debug: Log
}

const defaultMaxMessageBytes = 16 * 1024 * 1024

export type Presenton = ReturnType<typeof createPresenton>

export function createPresenton(options: PresentonOptions) {
  const {
    url,
    credentials,
    apiKey,
    appDataDir,
    timeouts,
    logger,
    now = Date.now,
    maxMessageBytes = defaultMaxMessageBytes,
  } = options
  const closing = new AbortController()
  const observe = createCallMetrics(options.onCall, now)
  const connections = createConnections(url)
  const onState = (state: BreakerState) => {
    logger.warn({ state }, 'the circuit in front of Presenton changed')
    options.onBreaker?.(state)
  }
  const breaker = createBreaker(options.breaker, { onState, now })
  // A login is a call, and a call may need a login: each gets the other when it is used.
  const exchange = createExchange({
    connections,
    breaker,
    login: () => login,
    maxBodyBytes: maxMessageBytes,
    probeMs: timeouts.createMs,
    now,
  })
  const shared = {
    exchange,
    closing: closing.signal,
    now,
    onTrouble: (why: string) => logger.warn({}, why),
  }
  const login = createLogin({
    credentials,
    apiKey,
    now,
    send: (json) =>
      observe.call('login', () =>
        exchange.sendPlain({
          account: sharedAccount,
          subject: 'login',
          method: 'POST',
          path: paths.login,
          json,
          auth: 'none',
          timeoutMs: timeouts.createMs,
          signal: closing.signal,
        }),
      ),
  })
  const probe = createProbe({
    ...shared,
    means: { credentials, apiKey },
    timeoutMs: timeouts.createMs,
  })
  const templates = createTemplates({
    ...shared,
    listMs: timeouts.createMs,
    layoutMs: timeouts.prepareMs,
  })
  const decks = createDecks({
    exchange,
    probe,
    templates,
    timeouts,
    maxMessageBytes,
    observe,
    logger,
  })

  return {
    ...decks,

    features: (signal: AbortSignal): Promise<Features> => probe.read(signal),

    /**
     * The file of an export's `path`; see `OpenedFile`. One that cannot be the export is a
     * 'bad-file'.
     */
    openFile: ({ account, signal, path }: CallOptions & { path: string }): Promise<OpenedFile> =>
      observe.call('file', () => {
        if (appDataDir !== undefined) return openMountedFile(appDataDir, path, signal)
        // Between two reads a file has no reason to be as slow as a model.
        const limits = {
          timeoutMs: timeouts.streamMs,
          stallMs: Math.min(timeouts.stallMs, timeouts.createMs),
        }
        return probe.speak(signal, ({ auth }) =>
          openRemoteFile({ exchange, auth, ...limits }, { account, signal, path }),
        )
      }),

    /**
     * Of a slide, by its unencoded path; NOT_FOUND for anything that is no picture. Who may see it
     * is not asked here.
     */
    openImage: ({ account, signal, path }: CallOptions & { path: string }): Promise<OpenedImage> =>
      observe.call('image', () =>
        probe.speak(signal, ({ auth }) =>
          openRemoteImage(
            { exchange, auth, timeoutMs: timeouts.createMs },
            { account, signal, path },
          ),
        ),
      ),

    listTemplates: ({ account, signal }: CallOptions): Promise<Template[]> =>
      observe.call('templates', () =>
        probe.speak(signal, (features) => templates.list({ account, signal, features })),
      ),

    /** The ids of the list as it was last read; undefined before that. Asks nobody. */
    knownTemplates: (account: UpstreamAccount): ReadonlySet<string> | undefined =>
      templates.known(account),

    hasTemplate: ({
      account,
      signal,
      templateId,
    }: CallOptions & { templateId: string }): Promise<boolean> =>
      observe.call('templates', () =>
        probe.speak(signal, (features) => templates.has({ account, signal, features, templateId })),
      ),

    state: (): { breaker: BreakerState; supported: boolean | undefined; detail?: string } => ({
      breaker: breaker.state(),
      ...probe.supported(),
    }),

    /**
     * Rejects with a Problem when upstream does not answer, or is not one that the gateway can
     * speak to.
     */
    ping: ({ signal }: { signal: AbortSignal }): Promise<void> =>
      observe.call('ping', async () => {
        await exchange.ping(signal)
        await probe.read(signal)
      }),

    /** Ends all that is under way; nothing stays alive. */
    async close(): Promise<void> {
      const reason = unavailable(new Error('closed'))
      closing.abort(reason)
      exchange.close(reason)
      breaker.close()
      await connections.close()
    },
  }
}
