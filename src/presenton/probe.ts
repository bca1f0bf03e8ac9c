// Which upstream this is: asked at the first call, every ten minutes, and when an answer hints that
// it was replaced under way. One question for all who wait for its answer; the old answer stands
// while no new one can be had.

import { raceSignal } from '../async/signals.ts'
import { sharedAccount } from './account.ts'
import { authKindOf, type Features, featuresOf, guessedFeatures, paths } from './dialect.ts'
import { type Exchange, parseJson } from './exchange.ts'
import { fault, problemOf, rejected, suggestsVersionChange } from './failures.ts'
import type { Credentials } from './login.ts'

const freshMs = 600_000
/**
 * After a failed refresh, and between two questions that answers gave rise to: a run of refused
 * bodies must not double our calls.
 */
const pauseMs = 10_000

const tooOld = 'Presenton older than 0.5.14'

interface ProbeOptions {
  exchange: Exchange
  means: { credentials?: Credentials | undefined; apiKey?: string | undefined }
  timeoutMs: number
  closing: AbortSignal
  onTrouble(why: string): void
  now(): number
}

export function createProbe({ exchange, means, timeoutMs, closing, onTrouble, now }: ProbeOptions) {
  let known: { features: Features; untilMs: number } | undefined
  let unsupported: string | undefined
  let running: Promise<Features> | undefined
  let askedAgainAt = Number.NEGATIVE_INFINITY

  async function ask(): Promise<Features> {
    // What upstream is does not depend on who asks.
    const common = {
      account: sharedAccount,
      subject: 'other',
      timeoutMs,
      signal: closing,
    } as const
    const status = await exchange.sendPlain({ ...common, path: paths.authStatus, auth: 'none' })
    const statusBody = status.text.trimStart().startsWith('{') ? parseJson(status) : undefined
    const auth = authKindOf(status.status, statusBody, means)
    if (auth === undefined)
      throw status.status === 200
        ? fault('the auth status is none')
        : problemOf(status, 'other', now())
    const answer = await exchange.send({ ...common, path: paths.openapi, auth, expect: [404] })
    const document =
      answer.status === 200 && answer.text.trimStart().startsWith('{')
        ? parseJson(answer)
        : undefined
    if (document === undefined)
      onTrouble('Presenton shows no OpenAPI document; its features are guessed')
    const features =
      document === undefined
        ? guessedFeatures(status.status, statusBody, auth)
        : featuresOf(document, auth)
    unsupported = features ? undefined : tooOld
    if (features) return features
    known = undefined
    throw rejected(`It is ${tooOld}, which is not supported.`)
  }

  function refresh(): Promise<Features> {
    running ??= ask()
      .then((features) => {
        known = { features, untilMs: now() + freshMs }
        return features
      })
      .finally(() => {
        running = undefined
      })
    return running
  }

  async function read(signal: AbortSignal): Promise<Features> {
    signal.throwIfAborted()
    if (known && now() < known.untilMs) return known.features
    const old = known
    try {
      return await raceSignal(refresh(), signal)
    } catch (error) {
      if (signal.aborted || unsupported !== undefined || !old) throw error
      known = { ...old, untilMs: now() + pauseMs }
      onTrouble('the features of Presenton could not be asked again; the old ones stand')
      return old.features
    }
  }

  /**
   * What upstream is now, for one who met a hint that it is not `before` any more. Many may meet it
   * at once; one asks.
   */
  async function renewed(before: Features, signal: AbortSignal): Promise<Features> {
    if (running) return raceSignal(running, signal)
    if (known && known.features !== before) return known.features
    if (now() - askedAgainAt < pauseMs) return before
    askedAgainAt = now()
    return raceSignal(refresh(), signal)
  }

  return {
    read,

    /**
     * Acts by the features; when the failure hints that upstream has changed, and it has, acts once
     * more by the new ones.
     */
    async speak<T>(signal: AbortSignal, act: (features: Features) => Promise<T>): Promise<T> {
      const before = await read(signal)
      try {
        return await act(before)
      } catch (error) {
        if (!suggestsVersionChange(error)) throw error
        const after = await renewed(before, signal)
        if (JSON.stringify(after) === JSON.stringify(before)) throw error
        return act(after)
      }
    },

    supported: (): { supported: boolean | undefined; detail?: string } =>
      unsupported === undefined
        ? { supported: known ? true : undefined }
        : { supported: false, detail: unsupported },
  }
}

export type Probe = ReturnType<typeof createProbe>
