// Stage prepare: the outlines and a template become the structure of the deck. Safe to repeat.
import type { Context } from '../context.ts'

export async function prepare(context: Context): Promise<void> {
  const { run, presenton, account, signal } = context
  if (!run.deckId || !run.outlines) throw new Error('Prepare needs a deck and outlines.')
  await presenton.prepareDeck({
    account,
    signal,
    deckId: run.deckId,
    outlines: run.outlines,
    // A name of ours: upstream names files by it, and equal or very long names break them. People
    // see the user's title.
    title: deckTitle(run),
    templateId: run.template,
  })
  run.deckPrepared = true
  await context.commit([], { deck_prepared: true })
}

/** Short, ASCII, and never the same for two decks or two exports. */
export function deckTitle(run: {
  id: string
  run: number
  starts: { prepare?: number; export?: number }
}): string {
  return `deck-${run.id}-${run.run}-${run.starts.prepare ?? 0}-${run.starts.export ?? 0}`
}
