// Everything the gateway can ask of Presenton, in the same words for all of its versions. A failed
// call rejects with a Problem whose `failure` says what a run should do next; an aborted call
// rejects with the reason of its signal.

import { Problem } from '../domain/problem.ts'
import type { Logger } from '../telemetry/logging.ts'
import type { Troubles } from '../telemetry/troubles.ts'
import {
  type CallOptions,
  type Credentials,
  sharedAccount,
  type UpstreamAccount,
} from './account.ts'
import { createAuth } from './auth.ts'
import { type BreakerOptions, type BreakerState, createBreaker } from './breaker.ts'
import { type CallMeasurement, createCallMetrics } from './call-metrics.ts'
import { type Calls, createCalls } from './calls.ts'
import { asFarAsKnown, type Capabilities, capabilitiesOf } from './capabilities.ts'
import { createChatTurns } from './chat-turns.ts'
import { createConnections } from './connection.ts'
import { createDeckSaves } from './deck-saves.ts'
import { createDeckStreams } from './deck-streams.ts'
import { createDeckWrites } from './deck-writes.ts'
import { createDecks } from './decks.ts'
import { paths } from './dialect.ts'
import { type OpenedFile, openExportedFile } from './exported-file.ts'
import { createExports } from './exports.ts'
import { outage } from './failures.ts'
import { type OpenedImage, openUpstreamImage } from './image.ts'
import { createLiveness } from './liveness.ts'
import { type MountedFileResult, openMountedFile } from './mounted-file.ts'
import { createPerformOperation } from './operation.ts'
import { createPassThrough } from './pass-through.ts'
import { createProbe } from './probe.ts'
import { createRequests } from './requests.ts'
import { createSlideEdits } from './slide-edits.ts'
import type { Template } from './template-responses.ts'
import { createTemplates } from './templates.ts'
import {
  createAccountChoice,
  createUserAccounts,
  type UserAccountsOptions,
} from './user-accounts.ts'
import { createUserFiles } from './user-files.ts'

export interface Timeouts {
  /** For calls that only touch upstream's database. */
  createMs: number
  prepareMs: number
  exportMs: number
  /** For the silence within a stream. */
  stallMs: number
  /** For a whole stream. */
  streamMs: number
}

export interface PresentonOptions {
  /** Where its nginx listens, such as http://presenton. */
  url: string
  credentials?: Credentials | undefined
  apiKey?: string | undefined
  /** For accounts of users; without them all share one. */
  users?: UserAccountsOptions | undefined
  /** A mounted copy of its /app_data, from which files are then read. */
  appDataDir?: string | undefined
  timeouts: Timeouts
  breaker: BreakerOptions
  /** The bound of one message of a stream, and of any other response that is read whole. */
  maxMessageBytes?: number
  logger: Pick<Logger, 'warn'>
  /** Is told of refused credentials. */
  troubles?: Pick<Troubles, 'report' | 'clear'>
  onCall?: (call: CallMeasurement) => void
  onMountedFile?: ((result: MountedFileResult) => void) | undefined
  now?: () => number
}

const defaultMaxMessageBytes = 16 * 1024 * 1024

export type Presenton = ReturnType<typeof createPresenton>

export function createPresenton({
  url,
  credentials,
  apiKey,
  users,
  appDataDir,
  timeouts,
  logger,
  troubles = { report: () => undefined, clear: () => undefined },
  onCall,
  onMountedFile,
  now = Date.now,
  maxMessageBytes = defaultMaxMessageBytes,
  ...options
}: PresentonOptions) {
  const closing = new AbortController()
  const metrics = createCallMetrics({ onCall, now })
  const connections = createConnections(url)
  const breaker = createBreaker(options.breaker, {
    onStateChange: (state) => logger.warn({ state }, 'the circuit breaker of Presenton changed'),
    now,
  })
  const requests = createRequests({ connections, breaker, maxBodyBytes: maxMessageBytes, now })
  const liveness = createLiveness({ requests, breaker, timeoutMs: timeouts.createMs, now })
  const postLogin = (json: Credentials) =>
    metrics.measure('login', () =>
      requests.fetchText({
        routeKind: 'login',
        isCheap: true,
        method: 'POST',
        path: paths.login,
        json,
        timeoutMs: timeouts.createMs,
        signal: closing.signal,
      }),
    )
  const userAccounts = createUserAccounts({
    ...{ users, requests, postLogin, logger, troubles, now },
    calls: () => calls,
    timeoutMs: timeouts.createMs,
    closing: closing.signal,
  })
  const auth = createAuth({
    ...{ credentials, apiKey, troubles, now },
    postLogin: userAccounts.postLogin,
    userSessions: userAccounts.sessions,
  })
  const calls: Calls = createCalls({
    ...{ requests, auth, breaker, liveness, now, verifyTimeoutMs: timeouts.createMs },
  })
  const shared = { calls, closing: closing.signal, logger, now }
  const probe = createProbe({
    ...shared,
    requests,
    credentials,
    apiKey,
    timeoutMs: timeouts.createMs,
  })
  const templates = createTemplates({
    ...shared,
    listTimeoutMs: timeouts.createMs,
    layoutTimeoutMs: timeouts.prepareMs,
  })
  const perform = createPerformOperation(metrics, probe)
  const { titleForPrepare, exportDeck } = createExports({ ...shared, perform, timeouts })

  return {
    ...createAccountChoice({ users, sessions: userAccounts.sessions, probe, calls }),
    ...createPassThrough({ auth, breaker, probe }),
    ...createDecks({ calls, perform, templates, titleForPrepare, timeouts }),
    ...createDeckWrites({ calls, perform, timeouts }),
    ...createDeckSaves({ calls, perform, timeouts }),
    ...createSlideEdits({ calls, perform, probe, metrics, timeouts }),
    exportDeck,
    ...createUserFiles({ calls, perform, timeouts }),
    ...createChatTurns({ calls, probe, metrics, timeouts, maxMessageBytes, logger }),
    ...createDeckStreams({ calls, probe, metrics, timeouts, maxMessageBytes, logger }),

    /** The file at the `path` of an export. What cannot be the exported file is a 'bad-file'. */
    openFile: (call: CallOptions & { path: string }): Promise<OpenedFile> =>
      appDataDir !== undefined
        ? metrics.measure('file', () =>
            openMountedFile({ ...call, appDataDir, onResult: onMountedFile }),
          )
        : perform({ operation: 'file', signal: call.signal }, ({ auth: kind }) =>
            openExportedFile({
              ...call,
              calls,
              auth: kind,
              timeoutMs: timeouts.streamMs,
              // A file needs no pauses like those of a model.
              stallMs: Math.min(timeouts.stallMs, timeouts.createMs),
            }),
          ),

    /**
     * An image in a slide, by its unencoded path; NOT_FOUND if the path leads to no image. The
     * caller must check who may see it.
     */
    openImage: (call: CallOptions & { path: string }): Promise<OpenedImage> =>
      perform({ operation: 'image', signal: call.signal }, ({ auth: kind }) =>
        openUpstreamImage({ ...call, calls, auth: kind, timeoutMs: timeouts.createMs }),
      ),

    listTemplates: (call: CallOptions): Promise<Template[]> =>
      perform({ operation: 'templates', signal: call.signal }, (features) =>
        templates.list({ ...call, features }),
      ),

    /** The ids in the list that callers have seen, however old. Sends nothing. */
    knownTemplates: (account: UpstreamAccount): ReadonlySet<string> | undefined =>
      templates.knownIds(account),

    /** `trustsAssumed`: the groups that 0.7.3 is assumed to have are not asked for. */
    hasTemplate: (
      call: CallOptions & { templateId: string; trustsAssumed?: boolean },
    ): Promise<boolean> =>
      perform({ operation: 'templates', signal: call.signal }, (features) =>
        templates.has({ ...call, features }),
      ),

    /** What the version can do. Asks it if that is unknown; rejects like any other call. */
    readCapabilities: ({ signal }: { signal: AbortSignal }): Promise<Capabilities> =>
      metrics.measure('capabilities', async () => capabilitiesOf(await probe.read(signal))),

    /** The same as far as it is known. Sends nothing. */
    knownCapabilities: (): Capabilities | undefined => asFarAsKnown(probe.known()),

    state: (): { breaker: BreakerState; supported: boolean | undefined; detail?: string } => ({
      breaker: breaker.state(),
      ...probe.support(),
    }),

    /**
     * Rejects with a Problem if upstream does not respond or is not supported. It acts for no
     * account.
     */
    ping: ({ signal }: { signal: AbortSignal }): Promise<void> =>
      metrics.measure('ping', async () => {
        await liveness.ping(signal)
        try {
          const { auth: kind } = await probe.read(signal)
          await calls.recheckCredentials({ account: sharedAccount, signal, auth: kind })
        } catch (error) {
          // It responds. Who refused the credentials has told the operator.
          if (!(error instanceof Problem && error.failure === 'credentials')) throw error
        }
      }),

    /**
     * Whether another run could go on now, although this one waits: upstream responds, and accepts
     * our credentials. The circuit breaker is neither asked nor told.
     */
    async isAvailable({ account, signal }: CallOptions): Promise<boolean> {
      if (auth.isRefused(account)) return false
      return liveness.responds(signal)
    },

    /** Aborts every call and closes every connection. */
    async close(): Promise<void> {
      const reason = outage(new Error('the client is closed'))
      closing.abort(reason)
      requests.close(reason)
      breaker.close()
      await connections.close()
    },
  }
}
