// Stage store: the file goes from upstream into the object store, is looked at there, and only then
// is the run complete.

import { Problem } from '../../domain/problem.ts'
import { checkDeckFile } from '../../objects/deck-file.ts'
import { presentationKey } from '../../objects/keys.ts'
import { confirmAtEnd } from '../confirm-at-end.ts'
import type { Context } from '../context.ts'
import { asUpstreamProblem } from '../file-problem.ts'
import { findFinishedDeck } from '../statements/decks.ts'
import { recordFile, recordUpload } from '../statements/uploads.ts'

export const contentTypes = {
  pptx: 'application/vnd.openxmlformats-officedocument.presentationml.presentation',
  pdf: 'application/pdf',
} as const

export async function store(context: Context): Promise<void> {
  const { run } = context
  const format = run.runFormat
  const key = await takeKey(context)
  const { sizeBytes, sha256 } = await copy(context, key).catch((error) => {
    throw asUpstreamProblem(error)
  })
  const presentation = (run.deckId && (await findFinishedDeck(context.database, run.deckId))) || {}
  const file = { format, objectKey: key, sizeBytes, sha256, contentType: contentTypes[format] }
  await context.log.commit({
    events: [
      context.event('stored', { format, size_bytes: sizeBytes, sha256 }),
      { ...context.event('complete', { presentation }, null), terminal: true },
    ],
    changes: { status: 'completed', stage: null, progress: 1, error: null, minio_object_key: key },
    extraStatements: [
      recordFile({ ...file, replacedAfterSeconds: context.limits.downloadLinkSeconds }),
    ],
    release: true,
  })
  context.onBytesCopied?.(sizeBytes)
}

/**
 * Streams the file over and reads back what arrived: completed means that a whole deck lies in the
 * store.
 */
async function copy(
  { run, presenton, account, objects, limits, logger, signal, assertHeld }: Context,
  key: string,
) {
  if (!run.exportPath) throw new Error('Nothing was exported.')
  const format = run.runFormat
  const { body, sizeBytes } = await presenton.openFile({ account, signal, path: run.exportPath })
  const held = confirmAtEnd(body, assertHeld)
  const file = { key, body: held, sizeBytes, contentType: contentTypes[format] }
  const stored = await objects.put({ ...file, maxBytes: limits.maxFileBytes, signal, logger })
  const readRange = (offset: number, length: number) =>
    objects.readRange({ key, offset, length, signal })
  const end = await readRange(stored.sizeBytes - stored.tail.length, stored.tail.length)
  if (!end.equals(stored.tail))
    throw new Problem('STORAGE_UNAVAILABLE', {
      cause: new Error('The store gave back other bytes.'),
    })
  await checkDeckFile({ format, sizeBytes: stored.sizeBytes, readRange })
  return stored
}

/**
 * A key of its own for each upload, recorded before the first byte goes out: nothing in the store
 * is ever forgotten or overwritten.
 */
async function takeKey(context: Context): Promise<string> {
  const { run } = context
  run.uploads += 1
  const key = presentationKey({
    userId: run.userId,
    presentationId: run.id,
    uploadNumber: run.uploads,
    format: run.runFormat,
  })
  await context.commit([], { uploads: run.uploads }, [
    recordUpload({ objectKey: key, token: run.token }),
  ])
  return key
}
