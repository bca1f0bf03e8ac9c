// Deletes a presentation and what belongs to it, in the transaction that has locked it.
import { eq, sql } from 'drizzle-orm'
import type { Queryable } from '../../database/connection.ts'
import { settleDeleted } from '../../database/ledger.ts'
import { decks, files, images, uploads } from '../../database/schema/external.ts'
import { events } from '../../database/schema/log.ts'
import { presentations } from '../../database/schema/presentations.ts'
import { chatTurns, deckChanges } from '../../database/schema/slides.ts'
import { presentationSources } from '../../database/schema/sources.ts'
import { tickets } from '../../database/schema/users.ts'
import { endEdit } from '../../database/slide-edits.ts'
import { build, columns, type Given, statement } from '../../database/statement.ts'

type OfPresentation = Given<{ id: string }>

const filesOfUpload = build
  .select(columns(files, 'objectKey'))
  .from(files)
  .where(eq(files.objectKey, uploads.objectKey))

// A key without a file may still be uploaded by a worker that has not noticed the deletion. After
// an hour that is no longer possible.
const scheduleUploads = statement((given: OfPresentation) =>
  build
    .update(uploads)
    .set({
      removeAfter: sql`case when exists ${filesOfUpload} then now()
        else greatest(now(), ${uploads.recordedAt} + interval '1 hour') end`,
    })
    .where(eq(uploads.presentationId, given.id)),
)

const scheduleDecks = statement((given: OfPresentation) =>
  build.update(decks).set({ removeAfter: sql`now()` }).where(eq(decks.presentationId, given.id)),
)

type Others =
  | typeof presentationSources
  | typeof events
  | typeof images
  | typeof tickets
  | typeof deckChanges
  | typeof chatTurns
const deleteRowsOf = (table: Others) =>
  statement((given: OfPresentation) =>
    build.delete(table).where(eq(table.presentationId, given.id)),
  )
const deleteOthers = [presentationSources, events, images, tickets, deckChanges, chatTurns].map(
  deleteRowsOf,
)

const deleteRow = statement((given: OfPresentation) =>
  build.delete(presentations).where(eq(presentations.id, given.id)),
)

/** Deletes the rows; objects and upstream decks are scheduled for removal. */
export async function deletePresentation(client: Queryable, { id }: { id: string }): Promise<void> {
  await scheduleUploads(client, { id })
  await scheduleDecks(client, { id })
  for (const deleteRows of deleteOthers) await deleteRows(client, { id })
  await client.query(endEdit.text, [id, ...endEdit.values])
  await client.query(settleDeleted.text, [id, ...settleDeleted.values])
  await deleteRow(client, { id })
}
