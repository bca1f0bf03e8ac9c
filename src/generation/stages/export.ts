// Stage export: upstream renders the deck into a file. Repeated alone; nothing is generated again
// for it.
import type { Context } from '../context.ts'
import { deckTitle } from './prepare.ts'

export async function exportDeck(context: Context): Promise<void> {
  const { run, presenton, account, signal } = context
  if (!run.deckId) throw new Error('An export needs a deck.')
  // A new name for each attempt: an export that was given up still writes its file later.
  const { path } = await presenton.exportDeck({
    account,
    signal,
    deckId: run.deckId,
    format: run.runFormat,
    title: deckTitle(run),
  })
  run.exportPath = path
  await context.commit([], { presenton_path: path })
}
