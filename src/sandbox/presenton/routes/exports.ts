/**
 * Exports write the deck as a file under exports/, in place, and reply with its path.
 *
 * A names the file after the title alone: equal titles share one file, and titles over 250 bytes
 * cause a 500. T and B truncate the title to 200 bytes; since 0.9.3 the file is in users/<uid>, and
 * B2 adds a UUID.
 * An export continues when its client disconnects.
 */

import { createHash, randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { mkdir, open } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { writeDeckFile } from '../content/deck-file.ts'
import type { Deck, DeckExport } from '../deck.ts'
import { pause } from '../pace.ts'
import { errorDetail, internalServerError, json, type Reply, validationFailed } from '../reply.ts'
import type { Exchange, Route, StandInState } from '../state.ts'
import { findDeck, findDeckInPath } from './find-deck.ts'
import { replaceContents, slideNotFound } from './presentations.ts'
import { missingField, notOneOf, readObject } from './validation.ts'

const path = '/api/v1/ppt/presentation'

export const exportRoutes: readonly Route[] = [
  {
    method: 'POST',
    path: `${path}/export`,
    operation: 'export',
    isAvailable: ({ exportRoute }) => exportRoute === `${path}/export`,
    handle: exportById,
  },
  { method: 'POST', path: `${path}/edit`, operation: 'export', handle: edit },
  {
    method: 'POST',
    path: `${path}/{id}/export`,
    operation: 'export',
    isAvailable: ({ exportRoute }) => exportRoute === `${path}/{id}/export`,
    handle: exportInPath,
  },
]

type Format = DeckExport['format']

async function exportById(state: StandInState, exchange: Exchange): Promise<Reply> {
  const body = await readObject(exchange)
  if ('errors' in body) return validationFailed(body.errors)
  const { id, export_as = 'pptx' } = body.value
  if (id === undefined) return validationFailed([missingField('id')])
  const found = findDeck(state, exchange, id, ['body', 'id'])
  return 'reply' in found ? found.reply : exportDeck(state, found.deck, export_as)
}

async function exportInPath(state: StandInState, exchange: Exchange): Promise<Reply> {
  const found = findDeckInPath(state, exchange)
  const body = await readObject(exchange)
  if ('errors' in body) return validationFailed(body.errors)
  return 'reply' in found
    ? found.reply
    : exportDeck(state, found.deck, body.value.export_as ?? 'pptx')
}

/** Changes slides, then exports. Without slides it only exports; T and B1 have no other route. */
async function edit(state: StandInState, exchange: Exchange): Promise<Reply> {
  const body = await readObject(exchange)
  if ('errors' in body) return validationFailed(body.errors)
  const { presentation_id: id, slides, export_as = 'pptx' } = body.value
  const absent = ['presentation_id', 'slides'].filter((field) => body.value[field] === undefined)
  if (absent.length > 0) return validationFailed(absent.map((field) => missingField(field)))
  const found = findDeck(state, exchange, id, ['body', 'presentation_id'])
  if ('reply' in found) return found.reply
  const changes = slides as { index: number; content: Record<string, unknown> }[]
  if (!replaceContents(found.deck, changes)) return slideNotFound()
  return exportDeck(state, found.deck, export_as)
}

async function exportDeck(state: StandInState, deck: Deck, format: unknown): Promise<Reply> {
  if (format !== 'pptx' && format !== 'pdf')
    return validationFailed([notOneOf('literal_error', 'export_as', ['pptx', 'pdf'], format)])
  state.spendCounter.count('exports', deck.id)
  const features = state.features()
  await state.gates.pass('export:work')
  await pause(state.pace.exportMs / 2)
  if (features.longTitle === 'fails' && deck.slides.length === 0) {
    return format === 'pdf'
      ? internalServerError()
      : errorDetail(500, 'Failed to convert presentation to PPTX model')
  }
  const title =
    features.longTitle === 'truncated' ? truncateBytes(fileName(deck), 200) : fileName(deck)
  const name = features.exportsHaveIds ? `${title}-${randomUUID()}` : title
  // Upstream raises OSError: [Errno 36] File name too long.
  if (Buffer.byteLength(`${name}.${format}`) > 255) return internalServerError()
  const perUser = features.exportsPerUser && state.accounts.isEnabled
  const written = await writeExport(
    state,
    deck,
    format,
    `exports/${perUser ? `users/${deck.owner ?? state.accounts.adminId}/` : ''}${name}.${format}`,
  )
  return json({
    presentation_id: deck.id,
    path: written.path,
    edit_path: `/presentation?id=${deck.id}`,
  })
}

/** Doesn't follow a symbolic link, so that a test that creates one keeps its target intact. */
const openFlags = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW

/** Writes in place and in parts: a concurrent reader gets the bytes so far, and their length. */
export async function writeExport(
  state: StandInState,
  deck: Deck,
  format: Format,
  relative: string,
): Promise<DeckExport> {
  const bytes = await writeDeckFile(deck, format)
  const written: DeckExport = {
    format,
    path: `/app_data/${relative}`,
    file: join(state.appDataDir, relative),
    size: bytes.length,
    sha256: createHash('sha256').update(bytes).digest('hex'),
    isComplete: false,
  }
  deck.exports.push(written)
  await mkdir(dirname(written.file), { recursive: true })
  const parts = 8
  const size = Math.ceil(bytes.length / parts)
  const file = await open(written.file, openFlags)
  try {
    for (let part = 0; part < parts; part++) {
      await state.gates.pass('export:write')
      await pause(state.pace.exportMs / 2 / parts)
      await file.write(bytes.subarray(part * size, (part + 1) * size))
      await nextTurn()
    }
  } finally {
    await file.close()
  }
  written.isComplete = true
  return written
}

/**
 * As recorded: without separators and control chars, without spaces and dots at the end, and
 * with a mark after names that Windows reserves.
 */
function fileName({ title, id }: Pick<Deck, 'title' | 'id'>): string {
  const name = (title ?? '')
    .replace(/[/\\:*?"<>|\p{Cc}]/gu, '')
    .trim()
    .replace(/[. ]+$/, '')
  if (name === '') return id
  return /^(con|prn|aux|nul|com\d|lpt\d)$/i.test(name) ? `${name}_` : name
}

/** Truncates to `maxBytes` of UTF-8, between chars. */
function truncateBytes(text: string, maxBytes: number): string {
  let size = 0
  let kept = ''
  for (const char of text) {
    size += Buffer.byteLength(char)
    if (size > maxBytes) break
    kept += char
  }
  return kept
}
