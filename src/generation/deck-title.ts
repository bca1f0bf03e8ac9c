// The titles of a deck in upstream: the one that people see there, and a technical one by which
// exported files cannot be confused. Equal or very long titles break file names.

interface TitledRun {
  id: string
  run: number
  title: string | null
  starts: { prepare?: number; export?: number }
}

/** The technical title is short, ASCII, and different for any two decks or exports. */
export function deckTitles({ id, run, title, starts }: TitledRun) {
  return {
    title: `deck-${id}-${run}-${starts.prepare ?? 0}-${starts.export ?? 0}`,
    shownTitle: title ?? 'Presentation',
  }
}
