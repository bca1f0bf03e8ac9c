/**
 * The export of Next.js, which the browser interface uses: POST /api/export-presentation names the
 * file after the given title, and GET .../file sends it. The interface sends JSON as text/plain.
 */

import { randomUUID } from 'node:crypto'
import { nextJsJson, type Reply } from '../reply.ts'
import type { Exchange, Route, StandInState } from '../state.ts'
import { writeExport } from './exports.ts'
import { sendExportNamed } from './files.ts'
import { isOwn } from './find-deck.ts'
import { readObject } from './validation.ts'

const path = '/api/export-presentation'
const isAvailable: Route['isAvailable'] = ({ hasSlideUi }) => hasSlideUi

export const nextExportRoutes: readonly Route[] = [
  { method: 'POST', path, operation: 'export', isAvailable, handle: exportDeck },
  { method: 'GET', path: `${path}/file`, operation: 'file', isAvailable, handle: sendNamed },
]

async function exportDeck(state: StandInState, exchange: Exchange): Promise<Reply> {
  const body = await readObject(exchange)
  const { id, format, title } = 'errors' in body ? {} : body.value
  const deck = state.decks.get(String(id))
  if (!deck || !isOwn(deck, exchange, state) || (format !== 'pptx' && format !== 'pdf'))
    return nextJsJson({ error: 'Missing or invalid id, format' }, 400)
  state.spendCounter.count('exports', deck.id)
  await state.gates.pass('export:work')
  const folder = `users/${exchange.user.id}`
  const name = `${folder}/${String(title ?? randomUUID()).replace(/[^\w-]+/g, '-')}.${format}`
  await writeExport(state, deck, format, `exports/${name}`)
  return nextJsJson({ success: true, path: `${path}/file?name=${encodeURIComponent(name)}` })
}

function sendNamed(state: StandInState, exchange: Exchange): Promise<Reply | undefined> {
  const name = exchange.url.searchParams.get('name') ?? ''
  const isOwnName = name.startsWith(`users/${exchange.user.id}/`) && !name.includes('..')
  return sendExportNamed(state, exchange, isOwnName ? name : undefined)
}
