// The first view: make a deck, and the decks made so far.

import { useEffect } from 'preact/hooks'
import { Composer } from './composer.tsx'
import { decks, followLibrary, hasMore, showOnly } from './library.ts'
import { LibraryView } from './library-view.tsx'
import { refreshUsage } from './usage-view.tsx'

export function Home() {
  useEffect(() => {
    void showOnly(undefined)
    void refreshUsage()
    return followLibrary()
  }, [])
  const isNew = decks.value.length === 0 && !hasMore.value
  return (
    <div class="home">
      <section class="make" aria-labelledby="make-title">
        <h1 id="make-title">{isNew ? 'Make your first deck' : 'Make a deck'}</h1>
        <p class="lead">
          Paste what was said and decided, or drop documents. You get slides to watch, change and
          download.
        </p>
        <Composer />
      </section>
      <LibraryView />
    </div>
  )
}
