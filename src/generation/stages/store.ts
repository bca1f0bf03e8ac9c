// Stage store: copies the file from upstream into the object store and checks it there. Only then
// is the run complete.

import type { ExportFormat } from '../../contract/presentation.ts'
import { findFinishedDeck } from '../../database/decks.ts'
import { recordFile, recordUpload } from '../../database/uploads.ts'
import { Problem } from '../../domain/problem.ts'
import { checkDeckFile } from '../../objects/deck-file.ts'
import { presentationKey } from '../../objects/keys.ts'
import { confirmAtEnd } from '../confirm-at-end.ts'
import type { Context } from '../context.ts'
import { asUpstreamProblem } from '../file-problem.ts'

export const contentTypes: Record<ExportFormat, string> = {
  pptx: 'application/vnd.openxmlformats-officedocument.presentationml.presentation',
  pdf: 'application/pdf',
}

export async function store(context: Context): Promise<void> {
  const { run, limits } = context
  const format = run.runFormat
  const key = await takeKey(context)
  const { sizeBytes, sha256 } = await copy(context, key).catch((error) => {
    throw asUpstreamProblem(error)
  })
  const deck = (run.deckId && (await findFinishedDeck(context.database, run.deckId))) || {}
  const file = { format, objectKey: key, sizeBytes, sha256, contentType: contentTypes[format] }
  const end = context.endRun(run, { outcome: 'completed', deck })
  const stored = context.event('stored', { format, size_bytes: sizeBytes, sha256 })
  await context.log.commit({
    ...end,
    events: [stored, ...end.events],
    changes: { ...end.changes, objectKey: key },
    extraStatements: [
      recordFile({ ...file, replacedAfterSeconds: limits.downloadLinkSeconds }),
      ...end.extraStatements,
    ],
  })
  context.onBytesCopied?.(sizeBytes)
}

/** Streams the file into the store and reads back what arrived. */
async function copy(context: Context, key: string) {
  const { run, presenton, account, objects, limits, logger, signal, assertHeld } = context
  const { exportPath: path } = run
  if (!path) throw new Error('Nothing was exported.')
  const format = run.runFormat
  const { body, sizeBytes } = await presenton.openFile({ account, signal, path })
  const stored = await objects.put({
    key,
    body: confirmAtEnd(body, assertHeld),
    sizeBytes,
    contentType: contentTypes[format],
    maxBytes: limits.maxFileBytes,
    signal,
    logger,
  })
  const readRange = (offset: number, length: number) =>
    objects.readRange({ key, offset, length, signal })
  const end = await readRange(stored.sizeBytes - stored.tail.length, stored.tail.length)
  if (!end.equals(stored.tail)) {
    const cause = new Error('The store returned other bytes than it was sent.')
    throw new Problem('STORAGE_UNAVAILABLE', { cause })
  }
  await checkDeckFile({ format, sizeBytes: stored.sizeBytes, readRange })
  return stored
}

/**
 * A new key for each upload, recorded before the first byte is sent: nothing in the store is
 * forgotten or overwritten.
 */
async function takeKey({ run, checkpoint }: Context): Promise<string> {
  const uploadNumber = run.uploads + 1
  const { userId, id: presentationId, runFormat: format, token } = run
  const key = presentationKey({ userId, presentationId, uploadNumber, format })
  const extraStatements = [recordUpload({ objectKey: key, token })]
  await checkpoint({ uploads: uploadNumber }, { extraStatements })
  return key
}
