// The title under which upstream knows a deck. Upstream names files by it, and equal or very long
// titles break them. Readers see the user's title.

/** Short, ASCII, and different for any two decks or exports. */
export function deckTitle(run: {
  id: string
  run: number
  starts: { prepare?: number; export?: number }
}): string {
  return `deck-${run.id}-${run.run}-${run.starts.prepare ?? 0}-${run.starts.export ?? 0}`
}
