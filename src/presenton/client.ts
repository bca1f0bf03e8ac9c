// Everything the gateway can ask of Presenton, in the same words for all of its versions. A failed
// call rejects with a Problem whose `failure` says what a run should do next; an aborted call
// rejects with the reason of its signal.

import { setMaxListeners } from 'node:events'
import type { Logger } from '../telemetry/logging.ts'
import type { Troubles } from '../telemetry/troubles.ts'
import type { Credentials } from './account.ts'
import { type BreakerOptions, createBreaker } from './breaker.ts'
import { type CallMeasurement, createCallMetrics } from './call-metrics.ts'
import { createChatTurns } from './chat-turns.ts'
import { createConnections } from './connection.ts'
import { createDeckSaves } from './deck-saves.ts'
import { createDeckStreams } from './deck-streams.ts'
import { createDeckWrites } from './deck-writes.ts'
import { createDecks } from './decks.ts'
import { createExports } from './exports.ts'
import { outage } from './failures.ts'
import { createFileReads } from './file-reads.ts'
import { createLiveness } from './liveness.ts'
import type { MountedFileResult } from './mounted-file.ts'
import { createPerformOperation } from './operation.ts'
import { createPassThrough } from './pass-through.ts'
import { createProbe } from './probe.ts'
import { createRequests } from './requests.ts'
import { createSignedCalls } from './signed-calls.ts'
import { createSlideEdits } from './slide-edits.ts'
import { createTemplateCalls } from './template-calls.ts'
import { createTemplates } from './templates.ts'
import { createUpstreamState } from './upstream-state.ts'
import { createAccountChoice, type UserAccountsOptions } from './user-accounts.ts'
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
  // Each login under way listens to it.
  setMaxListeners(0, closing.signal)
  const metrics = createCallMetrics({ onCall, now })
  const connections = createConnections(url)
  const breaker = createBreaker(options.breaker, {
    onStateChange: (state) => logger.warn({ state }, 'the circuit breaker of Presenton changed'),
    now,
  })
  const requests = createRequests({ connections, breaker, maxBodyBytes: maxMessageBytes, now })
  const liveness = createLiveness({ requests, breaker, timeoutMs: timeouts.createMs, now })
  const { sessions, auth, calls } = createSignedCalls({
    credentials,
    apiKey,
    users,
    requests,
    metrics,
    breaker,
    liveness,
    timeoutMs: timeouts.createMs,
    closing: closing.signal,
    logger,
    troubles,
    now,
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
    ...createAccountChoice({ users, sessions, probe, calls }),
    ...createPassThrough({ auth, breaker, probe }),
    ...createDecks({ calls, perform, templates, titleForPrepare, timeouts }),
    ...createDeckWrites({ calls, perform, timeouts }),
    ...createDeckSaves({ calls, perform, timeouts }),
    ...createSlideEdits({ calls, perform, probe, metrics, timeouts }),
    exportDeck,
    ...createFileReads({ calls, perform, metrics, appDataDir, onMountedFile, timeouts }),
    ...createUserFiles({ calls, perform, timeouts }),
    ...createChatTurns({ calls, probe, metrics, timeouts, maxMessageBytes, logger }),
    ...createDeckStreams({ calls, probe, metrics, timeouts, maxMessageBytes, logger }),
    ...createTemplateCalls(perform, templates),
    ...createUpstreamState({ metrics, probe, breaker, liveness, calls, auth }),

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
