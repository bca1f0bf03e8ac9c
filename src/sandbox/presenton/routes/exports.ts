/**
 * Exports: the deck is written as a file under exports/, in place, and the reply names its path.
 *
 * A names the file by the title alone: equal titles share one file, and titles over 250 bytes
 * crash. T and B cut the title to 200 bytes; from 0.9.3 the file lies under users/<uid>. A caller
 * who hangs up stops nothing: the file is written later all the same.
 */

import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { mkdir, open } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { writePdf } from '../content/pdf.ts'
import { writePptx } from '../content/pptx.ts'
import type { Deck, DeckExport } from '../deck.ts'
import { pause } from '../pace.ts'
import { crashed, detail, json, type Reply, unprocessable } from '../reply.ts'
import type { Exchange, Route, World } from '../world.ts'
import { missing, notOneOf, readObject } from './body.ts'
import { findDeck, findDeckInPath } from './lookup.ts'
import { replaceContents, slideNotFound } from './presentations.ts'

const path = '/api/v1/ppt/presentation'

export const exportRoutes: readonly Route[] = [
  {
    method: 'POST',
    path: `${path}/export`,
    operation: 'export',
    when: ({ exportRoute }) => exportRoute === `${path}/export`,
    act: exportById,
  },
  { method: 'POST', path: `${path}/edit`, operation: 'export', act: edit },
  {
    method: 'POST',
    path: `${path}/{id}/export`,
    operation: 'export',
    when: ({ exportRoute }) => exportRoute === `${path}/{id}/export`,
    act: exportInPath,
  },
]

type Format = DeckExport['format']

async function exportById(world: World, exchange: Exchange): Promise<Reply> {
  const body = await readObject(exchange)
  if ('flaws' in body) return unprocessable(body.flaws)
  const { id, export_as = 'pptx' } = body.value
  if (id === undefined) return unprocessable([missing('id')])
  const found = findDeck(world, exchange, id, ['body', 'id'])
  return 'reply' in found ? found.reply : exportDeck(world, found.deck, export_as)
}

async function exportInPath(world: World, exchange: Exchange): Promise<Reply> {
  const found = findDeckInPath(world, exchange)
  const body = await readObject(exchange)
  if ('flaws' in body) return unprocessable(body.flaws)
  return 'reply' in found
    ? found.reply
    : exportDeck(world, found.deck, body.value.export_as ?? 'pptx')
}

/** Changes slides and exports; with no slides it only exports: the way of T and B1. */
async function edit(world: World, exchange: Exchange): Promise<Reply> {
  const body = await readObject(exchange)
  if ('flaws' in body) return unprocessable(body.flaws)
  const { presentation_id: id, slides, export_as = 'pptx' } = body.value
  const absent = ['presentation_id', 'slides'].filter((field) => body.value[field] === undefined)
  if (absent.length > 0) return unprocessable(absent.map((field) => missing(field)))
  const found = findDeck(world, exchange, id, ['body', 'presentation_id'])
  if ('reply' in found) return found.reply
  const changes = slides as { index: number; content: Record<string, unknown> }[]
  if (!replaceContents(found.deck, changes)) return slideNotFound()
  return exportDeck(world, found.deck, export_as)
}

async function exportDeck(world: World, deck: Deck, wanted: unknown): Promise<Reply> {
  if (wanted !== 'pptx' && wanted !== 'pdf')
    return unprocessable([notOneOf('literal_error', 'export_as', ['pptx', 'pdf'], wanted)])
  world.ledger.pay('exports', deck.id)
  const features = world.features()
  await world.gates.pass('export:work')
  await pause(world.pace.exportMs / 2)
  if (features.longTitle === 'refused' && deck.slides.length === 0) {
    return wanted === 'pdf'
      ? crashed()
      : detail(500, 'Failed to convert presentation to PPTX model')
  }
  const name = features.longTitle === 'cut' ? cutBytes(fileName(deck), 200) : fileName(deck)
  if (Buffer.byteLength(`${name}.${wanted}`) > 255) return crashed() // [Errno 36] File name too long
  const perUser = features.exportsPerUser && world.accounts.enabled
  const written = await write(
    world,
    deck,
    wanted,
    `exports/${perUser ? `users/${world.accounts.userId}/` : ''}${name}.${wanted}`,
  )
  return json({
    presentation_id: deck.id,
    path: written.path,
    edit_path: `/presentation?id=${deck.id}`,
  })
}

/** Never through a link: a test that puts one there must not have what it leads to overwritten. */
const inPlace = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW

/** In place and in parts: who reads meanwhile gets what is there, and its length. */
async function write(
  world: World,
  deck: Deck,
  format: Format,
  relative: string,
): Promise<DeckExport> {
  const bytes = format === 'pptx' ? await writePptx(deck) : await writePdf(deck)
  const written: DeckExport = {
    format,
    path: `/app_data/${relative}`,
    file: join(world.appDataDir, relative),
    size: bytes.length,
    sha256: createHash('sha256').update(bytes).digest('hex'),
    whole: false,
  }
  deck.exports.push(written)
  await mkdir(dirname(written.file), { recursive: true })
  const parts = 8
  const size = Math.ceil(bytes.length / parts)
  const file = await open(written.file, inPlace)
  try {
    for (let part = 0; part < parts; part++) {
      await world.gates.pass('export:write')
      await pause(world.pace.exportMs / 2 / parts)
      await file.write(bytes.subarray(part * size, (part + 1) * size))
      await turn()
    }
  } finally {
    await file.close()
  }
  written.whole = true
  return written
}

/**
 * As recorded: separators and the like dropped, blanks and dots at the end cut, names that Windows
 * keeps for itself marked.
 */
export function fileName({ title, id }: Pick<Deck, 'title' | 'id'>): string {
  const name = (title ?? '')
    .replace(/[/\\:*?"<>|\p{Cc}]/gu, '')
    .trim()
    .replace(/[. ]+$/, '')
  if (name === '') return id
  return /^(con|prn|aux|nul|com\d|lpt\d)$/i.test(name) ? `${name}_` : name
}

/** At most so many bytes of UTF-8, no character cut through. */
export function cutBytes(text: string, most: number): string {
  let size = 0
  let kept = ''
  for (const character of text) {
    size += Buffer.byteLength(character)
    if (size > most) break
    kept += character
  }
  return kept
}
