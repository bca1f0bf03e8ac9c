// The export of the interface. A file that shows the present deck is returned at once; otherwise
// the request starts an export run or joins it. The name in the response is opaque, and leads to a
// presigned link of the store.

import { type ExportFormat, exportFormats } from '../../contract/presentation.ts'
import { Problem } from '../../domain/problem.ts'
import { isSettled } from '../../domain/status.ts'
import type { PresentationCommands } from '../../presentations/commands.ts'
import { createFindDownload } from '../../presentations/find-download.ts'
import type { PresentationRow } from '../../presentations/statements/queries.ts'
import type { Presign } from '../../presentations/view.ts'
import type { createWaitUntilSettled } from '../../presentations/wait-until-settled.ts'
import { isObject } from '../../presenton/deck-responses.ts'
import { deckOf, type Exchange } from '../exchange.ts'

export interface ExportHandlers {
  exportAgain: PresentationCommands['exportAgain']
  findPresentation: (own: { userId: string; id: string }) => Promise<PresentationRow | undefined>
  waitUntilSettled: ReturnType<typeof createWaitUntilSettled>
  presign: Presign
  timeoutMs: number
}

const filePath = '/api/export-presentation/file'
const respond = () => ({ status: 202, location: '', body: null })

const isFresh = ({ files, revision }: PresentationRow, format: ExportFormat) =>
  files.some((file) => file.format === format && file.revision >= (revision ?? 1))

/** The id of the presentation and the format, in letters that name neither. */
function nameOf(id: string, format: ExportFormat): string {
  const bytes = Buffer.from(id.replaceAll('-', ''), 'hex')
  return Buffer.concat([bytes, Buffer.from([exportFormats.indexOf(format)])]).toString('base64url')
}

function parseName(name: string): { id: string; format: ExportFormat } | undefined {
  const bytes = Buffer.from(name, 'base64url')
  const format = exportFormats[bytes[16] ?? -1]
  if (bytes.length !== 17 || !format || bytes.toString('base64url') !== name) return undefined
  const hex = bytes.subarray(0, 16).toString('hex')
  const id = hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
  return { id, format }
}

export function createExportHandlers(options: ExportHandlers) {
  const { exportAgain, findPresentation, waitUntilSettled, presign, timeoutMs } = options
  const findDownload = createFindDownload({ findPresentation, presign })

  /**
   * @throws Problem CONFLICT during another kind of run, UPSTREAM_TIMEOUT (504), that of the run
   */
  async function exportFresh(
    own: { userId: string; id: string },
    format: ExportFormat,
    signal: AbortSignal,
  ): Promise<void> {
    const deadlineMs = performance.now() + timeoutMs
    let ownRun: number | undefined
    for (;;) {
      const row = await findPresentation(own)
      if (!row) throw new Problem('NOT_FOUND')
      const isRunning = !isSettled(row.status)
      if (isFresh(row, format)) return
      if (ownRun !== undefined && !isRunning && row.run >= ownRun) {
        if (row.error) throw new Problem(row.error.code, { detail: row.error.detail })
        // The deck was saved during the export: the file shows it as it was at the request.
        if (row.files.some((file) => file.format === format)) return
      }
      if (!isRunning) {
        await exportAgain(own, format, { respond }).catch((error: unknown) => {
          // Another tab was first: its run is joined.
          if (!(error instanceof Problem) || error.code !== 'CONFLICT') throw error
        })
        const started = await findPresentation(own)
        if (!started || isSettled(started.status)) throw new Problem('CONFLICT')
        ownRun = started.run
      } else if (row.stage !== 'export' && row.stage !== 'store') throw new Problem('CONFLICT')
      else if (row.runFormat === format) ownRun ??= row.run
      const leftMs = deadlineMs - performance.now()
      const wait = { ...own, signal, timeoutMs: Math.max(0, leftMs) }
      const settled = await waitUntilSettled(wait)
      if (settled && !isSettled(settled.status))
        throw new Problem('UPSTREAM_TIMEOUT', {
          detail: 'The export takes longer than usual. It goes on: try again in a minute.',
        })
    }
  }

  return {
    async exportDeck(exchange: Exchange) {
      const { owner, body, signal } = exchange
      const { format: given } = isObject(body) ? body : {}
      const format = exportFormats.find((one) => one === given)
      if (!format)
        throw new Problem('VALIDATION_FAILED', {
          errors: [{ path: '/format', message: `must be one of ${exportFormats.join(', ')}` }],
        })
      const own = { userId: owner, id: deckOf(exchange).presentationId }
      await exportFresh(own, format, signal)
      return { success: true, path: `${filePath}?name=${nameOf(own.id, format)}` }
    },

    async exportedFile({ owner, query, reply }: Exchange) {
      const named = parseName(query.name ?? '')
      if (!named) throw new Problem('NOT_FOUND')
      const { url } = await findDownload({ userId: owner, id: named.id }, named.format)
      return reply.header('cache-control', 'private, no-store').redirect(url, 302)
    },
  }
}
