// The list of decks: filtered, endless, each with what can be done with it.

import { useEffect, useRef } from 'preact/hooks'
import type { Presentation, Status } from '../client/client.ts'
import { DeckActions } from './deck-actions.tsx'
import { count, isActive, percent, since, statusNames, titleOf } from './format.ts'
import { filter, hasMore, isLoading, loadError, loadMore, shownDecks, showOnly } from './library.ts'
import { deckPath, outlinesPath } from './router.ts'

const filters: (Status | undefined)[] = [
  undefined,
  'running',
  'awaiting_outlines',
  'completed',
  'failed',
  'cancelled',
]

export function LibraryView() {
  const decks = shownDecks.value
  const isEmpty = decks.length === 0 && !hasMore.value
  if (isEmpty && filter.value === undefined) return null
  return (
    <section class="library" aria-labelledby="library-title">
      <div class="row row-library">
        <h2 id="library-title">Your decks</h2>
        <fieldset class="filters">
          <legend class="sr">Show decks that are</legend>
          {filters.map((status) => (
            <button
              key={status ?? 'all'}
              type="button"
              class="chip"
              aria-pressed={filter.value === status}
              onClick={() => void showOnly(status)}
            >
              {status ? statusNames[status] : 'All'}
            </button>
          ))}
        </fieldset>
      </div>
      {isEmpty && <p class="empty">No deck is in this state.</p>}
      <ul class="decks" aria-busy={isLoading.value}>
        {decks.map((deck) => (
          <DeckRow key={deck.id} deck={deck} />
        ))}
      </ul>
      <More />
    </section>
  )
}

function DeckRow({ deck }: { deck: Presentation }) {
  const { id, status, progress, n_slides: slides, slides_done: done, created_at: created } = deck
  const isReview = status === 'awaiting_outlines'
  return (
    <li class="deck-row">
      <div class="deck-about">
        <a
          class="deck-title"
          href={isReview ? outlinesPath(id) : deckPath(id)}
          data-state
          dir="auto"
        >
          {titleOf(deck)}
        </a>
        <span class="help">
          <StatusBadge status={status} /> {count(isActive(deck) ? slides : done || slides, 'slide')}{' '}
          · {since(created, Date.now())}
        </span>
        {status === 'failed' && deck.error && <span class="trouble">{deck.error.detail}</span>}
      </div>
      {(status === 'running' || status === 'queued') && (
        <div class="deck-progress">
          <progress value={progress} max={1} aria-label={`Progress of ${titleOf(deck)}`} />
          <span class="help">{status === 'queued' ? 'Waiting' : percent(progress)}</span>
        </div>
      )}
      <DeckActions deck={deck} isCompact />
    </li>
  )
}

export function StatusBadge({ status }: { status: Presentation['status'] }) {
  return <span class={`badge badge-${status}`}>{statusNames[status]}</span>
}

/** Loads the next decks when it comes into sight. */
function More() {
  const place = useRef<HTMLDivElement>(null)
  useEffect(() => {
    const element = place.current
    if (!element) return undefined
    const observer = new IntersectionObserver(
      ([entry]) => {
        if (entry?.isIntersecting && loadError.value === undefined) void loadMore()
      },
      { rootMargin: '400px' },
    )
    observer.observe(element)
    return () => observer.disconnect()
    // A page that does not fill the screen leaves the element in sight, so it is observed again.
  }, [shownDecks.value.length])
  if (!hasMore.value) return null
  return (
    <div class="more" ref={place}>
      <button type="button" class="button" onClick={() => void loadMore()}>
        {isLoading.value ? 'Loading …' : 'Show more'}
      </button>
    </div>
  )
}
