// Detects the features of upstream: at the first call, every ten minutes, and when a failure
// suggests that upstream was replaced. Concurrent callers share one detection. If it fails, the
// features known so far stay in use.

import { raceSignal } from '../async/signals.ts'
import type { Logger } from '../telemetry/logging.ts'
import type { Credentials } from './account.ts'
import { sharedAccount } from './account.ts'
import { type Calls, parseJson } from './calls.ts'
import {
  apiPrefix,
  authKindOf,
  type Features,
  featuresOf,
  guessedFeatures,
  paths,
} from './dialect.ts'
import { fault, rejected, suggestsVersionChange, type TextResponse, toProblem } from './failures.ts'
import type { Requests } from './requests.ts'

const freshMs = 600_000
/**
 * The pause after a failed refresh, and between two refreshes that failures caused: a series of
 * rejected requests must not double our calls.
 */
const pauseMs = 10_000

const unsupportedVersion = 'Presenton older than 0.5.14'
const notPresenton = 'What responds at its address is not Presenton.'

interface ProbeOptions {
  requests: Requests
  calls: Calls
  credentials: Credentials | undefined
  apiKey: string | undefined
  timeoutMs: number
  closing: AbortSignal
  logger: Pick<Logger, 'warn'>
  now(): number
}

export type Probe = ReturnType<typeof createProbe>

export function createProbe(options: ProbeOptions) {
  const { requests, calls, logger, now } = options
  let known: { features: Features; freshUntilMs: number } | undefined
  let unsupported: string | undefined
  let pending: Promise<Features> | undefined
  let lastForcedRefreshMs = Number.NEGATIVE_INFINITY

  async function detect(): Promise<Features> {
    const common = {
      routeKind: 'other',
      isCheap: true,
      timeoutMs: options.timeoutMs,
      signal: options.closing,
    } as const
    const status = await requests.fetchText({ ...common, path: paths.authStatus })
    const statusBody = jsonObjectOf(status)
    if (isOfAnotherService(status, statusBody)) throw foreign()
    const auth = authKindOf(status.status, statusBody, options)
    if (auth === undefined)
      throw status.status === 200
        ? foreign()
        : toProblem(status, { routeKind: 'other', nowMs: now() })
    // The features of upstream do not depend on who asks.
    const response = await calls.send({
      ...common,
      account: sharedAccount,
      path: paths.openapi,
      auth,
      expectedStatuses: [404],
    })
    const document = response.status === 200 ? jsonObjectOf(response) : undefined
    if (document !== undefined && !describesPresenton(document)) throw foreign()
    if (document === undefined)
      logger.warn({}, 'Presenton has no OpenAPI document; its features are guessed')
    const features =
      document === undefined
        ? guessedFeatures(status.status, statusBody, auth)
        : featuresOf(document, auth)
    unsupported = features ? undefined : unsupportedVersion
    if (features) return features
    known = undefined
    throw rejected(`It is ${unsupportedVersion}, which is not supported.`)
  }

  /** A wrong address, or a proxy that responds for an upstream that is not there yet. */
  function foreign() {
    unsupported = notPresenton
    known = undefined
    return fault(notPresenton)
  }

  function refresh(): Promise<Features> {
    pending ??= detect()
      .then((features) => {
        known = { features, freshUntilMs: now() + freshMs }
        return features
      })
      .finally(() => {
        pending = undefined
      })
    return pending
  }

  async function read(signal: AbortSignal): Promise<Features> {
    signal.throwIfAborted()
    if (known && now() < known.freshUntilMs) return known.features
    const old = known
    try {
      return await raceSignal(refresh(), signal)
    } catch (error) {
      if (signal.aborted || unsupported !== undefined || !old) throw error
      known = { ...old, freshUntilMs: now() + pauseMs }
      logger.warn({}, 'Presenton could not be probed; the features known so far stay in use')
      return old.features
    }
  }

  /** The features after a failure suggested that they are no longer `before`. */
  async function readAfterChange(before: Features, signal: AbortSignal): Promise<Features> {
    if (pending) return raceSignal(pending, signal)
    if (known && known.features !== before) return known.features
    if (now() - lastForcedRefreshMs < pauseMs) return before
    lastForcedRefreshMs = now()
    return raceSignal(refresh(), signal)
  }

  return {
    /** The features, at most ten minutes old. */
    read,

    /**
     * Acts by the features of upstream. If the failure of `act` suggests another version, and the
     * features have indeed changed, acts once more by the new ones.
     */
    async withFeatures<T>(
      signal: AbortSignal,
      act: (features: Features) => Promise<T>,
    ): Promise<T> {
      const before = await read(signal)
      try {
        return await act(before)
      } catch (error) {
        if (!suggestsVersionChange(error)) throw error
        const after = await readAfterChange(before, signal)
        if (JSON.stringify(after) === JSON.stringify(before)) throw error
        return act(after)
      }
    },

    /** The features as last detected, however old; undefined before that. */
    known: (): Features | undefined => known?.features,

    /** Whether the version is supported; undefined before the first detection. */
    support: (): { supported: boolean | undefined; detail?: string } =>
      unsupported === undefined
        ? { supported: known ? true : undefined }
        : { supported: false, detail: unsupported },
  }
}

/** FastAPI explains every error in `detail`. So do we, in a problem that also has a `code`. */
function isOfAnotherService({ status }: TextResponse, body: unknown): boolean {
  if (status === 200 || status >= 500 || [408, 425, 429].includes(status)) return false
  return typeof body !== 'object' || body === null || !('detail' in body) || 'code' in body
}

function describesPresenton(document: unknown): boolean {
  const { paths: routes } = document as { paths?: object | null }
  return Object.keys(routes ?? {}).some((path) => path.startsWith(apiPrefix))
}

/** The parsed text if it looks like a JSON object; upstream's pages and its nginx send HTML. */
function jsonObjectOf(response: TextResponse): unknown {
  return response.text.trimStart().startsWith('{') ? parseJson(response) : undefined
}
