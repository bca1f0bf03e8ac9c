// Exports, and the titles that keep their files apart. Upstream names a file by the deck's title,
// alone or with an id of its own. Where the title alone names it, the deck has a title of ours
// during the export, and afterwards again the one that people see.

import { anySignal } from '../async/signals.ts'
import type { ExportFormat } from '../contract/presentation.ts'
import { Problem } from '../domain/problem.ts'
import type { Logger } from '../telemetry/logging.ts'
import type { Calls } from './calls.ts'
import { parseExport } from './deck-responses.ts'
import type { DeckCall, DeckTitles } from './decks.ts'
import { exportRequest, type Features, namesFilesByTitle, paths } from './dialect.ts'
import { badFile, mayHaveStarted } from './failures.ts'
import { addsOwnId, isOwnName } from './file-names.ts'
import type { PerformOperation } from './operation.ts'

export interface ExportOptions extends DeckCall, DeckTitles {
  format: ExportFormat
  /** The deck was exported before, so it has its shown title, and perhaps a theme of its owner. */
  isFurther?: boolean
}

type ShownExport = ExportOptions & { shownTitle: string }

/** The members of upstream's deck that a change of its title needs to know. */
type DeckRow = { title?: unknown; theme?: unknown }

interface ExportsOptions {
  calls: Calls
  perform: PerformOperation
  timeouts: { createMs: number; exportMs: number }
  closing: AbortSignal
  logger: Pick<Logger, 'warn'>
}

/** For both tries together to give a deck its title back. */
const restoreTimeoutMs = 5_000

export function createExports({ calls, perform, timeouts, closing, logger }: ExportsOptions) {
  /** Whether upstream adds an id to file names; unknown until an export shows it. */
  let hasOwnIds: boolean | undefined

  const deckCall = ({ account, signal }: DeckCall, { auth }: Features) =>
    ({ account, signal, auth, routeKind: 'deck', timeoutMs: timeouts.createMs }) as const

  const requestFile = async (options: ExportOptions, features: Features) =>
    parseExport(
      await calls.fetchJson({
        ...deckCall(options, features),
        ...exportRequest(options, features),
        method: 'POST',
        timeoutMs: timeouts.exportMs,
        isSlow: true,
      }),
    )

  async function readRow(options: DeckCall, features: Features): Promise<DeckRow> {
    const path = paths.deck(options.deckId)
    const row = await calls.fetchJson({ ...deckCall(options, features), path })
    return typeof row === 'object' && row !== null ? row : {}
  }

  /** The PATCH of later versions deletes a theme that it does not name. */
  const rename = ({ title, ...options }: DeckCall & DeckTitles, features: Features, row: DeckRow) =>
    calls.send({
      ...deckCall(options, features),
      method: 'PATCH',
      path: paths.update,
      json: { id: options.deckId, title, ...('theme' in row && { theme: row.theme }) },
    })

  /** Never fails, and goes on when the export is aborted. */
  async function restoreTitle(options: ShownExport, features: Features, row: DeckRow) {
    const signal = anySignal(closing, AbortSignal.timeout(restoreTimeoutMs))
    const attempt = () => rename({ ...options, signal, title: options.shownTitle }, features, row)
    await attempt()
      .catch(attempt)
      .catch((error: unknown) =>
        logger.warn({ err: error }, 'a deck in Presenton keeps a technical title'),
      )
  }

  /**
   * Exports under our title, and gives the deck its shown title back, also when the export fails or
   * is abandoned. After an outage the export is repeated, and a lost deck needs no title.
   */
  async function exportAsOurs(
    options: ShownExport,
    features: Features,
    { row, hasOurTitle }: { row: DeckRow; hasOurTitle: boolean },
  ): Promise<{ path: string }> {
    let isOurs = hasOurTitle
    try {
      if (!hasOurTitle) {
        await rename(options, features, row).catch((error: unknown) => {
          isOurs = mayHaveStarted(error)
          throw error
        })
        isOurs = true
      }
      const exported = await requestFile(options, features)
      // A late response to an earlier call may have changed the title since.
      if (!isOwnName(exported.path, options.shownTitle))
        throw badFile('another deck may have a file of this name')
      await restoreTitle(options, features, row)
      return exported
    } catch (error) {
      const failure = error instanceof Problem ? error.failure : undefined
      const mustRestore = isOurs && failure !== 'outage' && failure !== 'gone'
      const restored = mustRestore ? restoreTitle(options, features, row) : undefined
      if (!options.signal.aborted) await restored
      throw error
    }
  }

  /** For versions that may add an id. A file that only the shown title names is not used. */
  async function exportWatched(options: ShownExport, features: Features) {
    const { shownTitle, isFurther, signal } = options
    const exportAsShown = async () => {
      const exported = await requestFile(options, features)
      return isOwnName(exported.path, shownTitle) ? exported : undefined
    }
    if (isFurther) {
      const exported = hasOwnIds === false ? undefined : await exportAsShown()
      if (exported) return exported
      const row = await readRow(options, features)
      return exportAsOurs(options, features, { row, hasOurTitle: false })
    }
    // Only we have changed a deck that was never exported, so a failed read is no obstacle.
    const row: DeckRow = await readRow(options, features).catch((error: unknown) => {
      if (signal.aborted) throw error
      return {}
    })
    const hasOurTitle = row.title !== shownTitle
    const exported = hasOurTitle || !hasOwnIds ? undefined : await exportAsShown()
    return exported ?? exportAsOurs(options, features, { row, hasOurTitle })
  }

  return {
    /** The title that a deck gets in `prepare`: the shown one wherever exports allow it. */
    titleForPrepare: ({ title, shownTitle = title }: DeckTitles, features: Features): string =>
      namesFilesByTitle(features) || hasOwnIds ? shownTitle : title,

    exportDeck: (options: ExportOptions): Promise<{ path: string }> =>
      perform({ operation: 'export', signal: options.signal }, async (features) => {
        const { title, shownTitle } = options
        const isByTitle = namesFilesByTitle(features)
        if (shownTitle === undefined) {
          if (isByTitle) await rename(options, features, {})
          return requestFile(options, features)
        }
        const shown = { ...options, shownTitle }
        if (isByTitle) return exportAsOurs(shown, features, { row: {}, hasOurTitle: false })
        const exported = await exportWatched(shown, features)
        hasOwnIds = addsOwnId(exported.path, [title, shownTitle])
        return exported
      }),
  }
}
