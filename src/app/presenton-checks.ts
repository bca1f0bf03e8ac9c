// Finds mistakes in the configuration of Presenton that only Presenton and its files can show: at
// the start, every minute, and with each health check. They are reported for operators; no caller
// is blamed for them.

import { constants } from 'node:fs'
import { access, stat } from 'node:fs/promises'
import { sleep, waitAtMost } from '../async/signals.ts'
import type { Config } from '../config/config.ts'
import { Problem } from '../domain/problem.ts'
import { sharedAccount } from '../presenton/account.ts'
import { type Shape, versionsOf } from '../presenton/capabilities.ts'
import type { Presenton } from '../presenton/client.ts'
import type { MountedFileResult } from '../presenton/mounted-file.ts'
import type { Logger } from '../telemetry/logging.ts'
import type { Trouble, Troubles } from '../telemetry/troubles.ts'

const everyMs = 60_000
/** Of a health check, which has three seconds for everything. */
const healthWaitMs = 1_000

const defaultTemplate = 'PRESENTON_DEFAULT_TEMPLATE'
const appDataDir = 'PRESENTON_APP_DATA_DIR'

export type Misconfigurations = ReturnType<typeof createMisconfigurations>

/** What is wrong with the configuration of Presenton; several things may be. */
export function createMisconfigurations(troubles: Pick<Troubles, 'report' | 'clear'>) {
  const known = new Map<string, { variable: string; detail: string }>()

  /** `kind` names the mistake; without a detail it is fixed, or was never there. */
  function set(kind: string, variable: string, detail?: string): void {
    if (detail !== undefined) {
      known.set(kind, { variable, detail })
      troubles.report('presenton', { reason: 'misconfigured', variable, detail })
      return
    }
    if (!known.delete(kind)) return
    troubles.clear('presenton', 'misconfigured')
    for (const left of known.values())
      troubles.report('presenton', { reason: 'misconfigured', ...left })
  }

  return {
    set,
    /** Whether an exported file was in the mounted directory. */
    onMountedFile: (result: MountedFileResult): void =>
      set(
        'file',
        appDataDir,
        result === 'read'
          ? undefined
          : result === 'missing'
            ? 'It does not hold the files that Presenton exports.'
            : 'An exported file in it cannot be read.',
      ),
  }
}

interface ChecksOptions {
  presenton: Pick<Presenton, 'hasTemplate' | 'lacksUsers' | 'knownCapabilities'>
  config: Pick<Config['presenton'], 'defaultTemplate' | 'appDataDir'>
  misconfigurations: Pick<Misconfigurations, 'set'>
  /** Whether there is a slide maker. */
  hasMaker: boolean
  logger: Pick<Logger, 'warn'>
  /** Ends the checks. */
  closing: AbortSignal
}

export function createPresentonChecks({
  presenton,
  config,
  misconfigurations: { set },
  hasMaker,
  logger,
  closing: signal,
}: ChecksOptions) {
  let pending: Promise<void> | undefined
  let warnedOf: Shape | undefined

  /** The list of templates is cached, so this rarely sends anything. */
  async function checkTemplate(): Promise<void> {
    const options = { account: sharedAccount, signal, trustsAssumed: true }
    const { defaultTemplate: templateId } = config
    // If Presenton fails, nothing is known, and its health check says why.
    const hasIt = await presenton.hasTemplate({ ...options, templateId }).catch(() => undefined)
    if (hasIt === undefined) return
    const detail = 'Presenton does not have this template; upper and lower case differ.'
    set('template', defaultTemplate, hasIt ? undefined : detail)
  }

  /** Runs go on under the shared account. */
  function checkAccounts(): void {
    const detail = 'This version of Presenton has no accounts for users, so all users share one.'
    set('accounts', 'PRESENTON_ACCOUNTS', presenton.lacksUsers() ? detail : undefined)
  }

  /** Warns once of each version that the slide maker is not promised for. */
  function checkMaker(): void {
    const known = hasMaker ? presenton.knownCapabilities() : undefined
    if (!known || known.shape === warnedOf || (known.shape === 'B1' && known.maker)) return
    warnedOf = known.shape
    const versions = versionsOf[known.shape]
    logger.warn(
      { versions },
      known.maker
        ? `the slide maker is made for Presenton 0.9.3; the connected version is ${versions}, so parts of its editor may be refused`
        : `the slide maker needs Presenton 0.9.3; the connected version is ${versions} and has no users, so there is no slide maker`,
    )
  }

  async function checkDirectory(): Promise<void> {
    if (config.appDataDir === undefined) return
    set('directory', appDataDir, await mistakeOfDirectory(config.appDataDir))
  }

  function check(): Promise<void> {
    pending ??= Promise.all([checkTemplate(), checkDirectory()])
      // The template is checked with a call, after which the version is known.
      .then(() => {
        checkAccounts()
        checkMaker()
      })
      .finally(() => {
        pending = undefined
      })
    return pending
  }

  return {
    /** For a health check: a slow Presenton may leave the result to the next one. */
    checkBriefly: (): Promise<void> => waitAtMost(healthWaitMs, check()),

    /** Checks until the shutdown begins. */
    async run(): Promise<void> {
      while (!signal.aborted) {
        await check()
        await sleep(everyMs, signal).catch(() => undefined)
      }
    },
  }
}

/** Something responds, but it is no Presenton that we can use, or it fails. */
export function explainPresenton(
  error: unknown,
  { supported, detail = 'It is not supported.' }: ReturnType<Presenton['state']>,
): Trouble | undefined {
  const variable = 'PRESENTON_URL'
  if (supported === false) return { reason: 'unsupported', variable, detail }
  return error instanceof Problem && error.code === 'UPSTREAM_ERROR'
    ? { reason: 'failing', variable, detail: 'It responds with errors.' }
    : undefined
}

async function mistakeOfDirectory(path: string): Promise<string | undefined> {
  try {
    if (!(await stat(path)).isDirectory()) return 'It is not a directory.'
    await access(path, constants.R_OK | constants.X_OK)
    return undefined
  } catch (error) {
    const { code } = error as { code?: unknown }
    return code === 'ENOENT' || code === 'ENOTDIR'
      ? 'There is no such directory.'
      : 'The directory cannot be read.'
  }
}
