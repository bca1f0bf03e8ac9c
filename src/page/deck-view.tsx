// A deck's page: its run while it is made, its slides as they come, and what can be done with it.

import { useComputed, useSignal } from '@preact/signals'
import { useEffect, useMemo, useRef } from 'preact/hooks'
import type { Presentation } from '../client/client.ts'
import { DeckActions } from './deck-actions.tsx'
import { capabilities, type DeckModel, openDeck } from './deck-model.ts'
import { useDraft } from './drafts.ts'
import { EditSlide, isAskedToChange } from './edit-slide.tsx'
import { count, isActive, percent, titleOf } from './format.ts'
import { StatusBadge } from './library-view.tsx'
import { NotFound } from './not-found.tsx'
import { Outlines } from './outline-list.tsx'
import { messageOf } from './problems.ts'
import { RetryNote } from './retry-note.tsx'
import { homePath } from './router.ts'
import { RunProgress } from './run-progress.tsx'
import { gateway, noticeSignedOut } from './session.ts'
import { SlideCard } from './slide-card.tsx'

export function DeckView({ id }: { id: string }) {
  const model = useMemo(() => openDeck(id), [id])
  useEffect(() => model.close, [model])
  const deck = model.deck.value
  useEffect(() => {
    if (deck)
      document.title = isActive(deck)
        ? `${percent(deck.progress)} · ${titleOf(deck)}`
        : titleOf(deck)
  }, [deck])
  // What was watched stays when it is over, so that nothing moves.
  const wasActive = useRef(false)
  wasActive.current ||= deck !== undefined && isActive(deck)
  const showsRun = deck && (isActive(deck) || (wasActive.current && deck.status === 'completed'))
  if (model.isMissing.value) return <NotFound />
  const trouble = model.trouble.value
  if (!deck) {
    return (
      <div class="wait" aria-busy={trouble === ''} role="status">
        {trouble ? <h1>The deck cannot be opened</h1> : <p>Opening the deck …</p>}
        <RetryNote trouble={trouble} onRetry={model.reload} />
        {trouble && (
          <a class="button button-plain" href={homePath} data-state>
            Go to your decks
          </a>
        )}
      </div>
    )
  }
  return (
    <div class="deck">
      <p class="crumb">
        <a href={homePath} data-state>
          ← Your decks
        </a>
      </p>
      <div class="deck-head">
        <Title deck={deck} onChange={model.put} />
        <p class="help">
          <StatusBadge status={deck.status} /> {count(deck.n_slides, 'slide')} · {deck.language} ·{' '}
          {deck.template}
        </p>
      </div>
      {showsRun && <RunProgress model={model} deck={deck} />}
      {deck.error && !isActive(deck) && (
        <p class="note note-bad" role="alert">
          {deck.error.detail}
        </p>
      )}
      <RetryNote trouble={trouble} onRetry={model.reload} />
      <DeckActions deck={deck} onChange={model.put} />
      <Content model={model} deck={deck} />
    </div>
  )
}

function Content({ model, deck }: { model: DeckModel; deck: Presentation }) {
  const state = model.state.value
  const slides = useComputed(() => model.finished.value?.slides ?? model.state.value.slides).value
  const hasSlides = slides.some(Boolean)
  const isMaking = isActive(deck) && deck.status !== 'awaiting_outlines'
  const places = isMaking ? Math.max(deck.n_slides, slides.length) : slides.length
  const showsPlaces = hasSlides || (isMaking && state.stage === 'slides')
  if (!showsPlaces) return <Outlines state={state} />
  const canEdit =
    deck.status === 'completed' &&
    model.finished.value !== undefined &&
    capabilities.value?.edit !== false
  return (
    <section aria-labelledby="slides-title">
      <h2 id="slides-title" class="sr">
        Slides
      </h2>
      <ol class="slides">
        {Array.from({ length: places }, (_, index) => (
          <SlideCard
            key={index}
            slide={slides[index]}
            index={index}
            isChanging={deck.stage === 'edit' && isAskedToChange(deck.id, index)}
          >
            {canEdit && (
              <EditSlide
                id={deck.id}
                index={index}
                revision={model.finished.value?.revision}
                hasFailed={deck.error !== null}
                onStarted={model.put}
                onOutdated={model.reload}
              />
            )}
          </SlideCard>
        ))}
      </ol>
    </section>
  )
}

/** Renamed in place. */
function Title({ deck, onChange }: { deck: Presentation; onChange: (deck: Presentation) => void }) {
  const trouble = useSignal('')
  const text = useDraft(`title ${deck.id}`)
  const isEditing = useSignal(text.value !== '')

  function close() {
    isEditing.value = false
    text.value = ''
  }
  async function save(event: Event) {
    event.preventDefault()
    if (text.value.trim() === '' || text.value === deck.title) {
      close()
      return
    }
    try {
      onChange(await gateway.presentations.rename(deck.id, text.value.trim()))
      close()
    } catch (error) {
      if (!noticeSignedOut(error)) trouble.value = messageOf(error)
    }
  }

  if (!isEditing.value) {
    return (
      <div class="title-line">
        <h1 dir="auto">{titleOf(deck)}</h1>
        <button
          type="button"
          class="button button-plain"
          onClick={() => {
            text.value = deck.title ?? ''
            trouble.value = ''
            isEditing.value = true
          }}
        >
          Rename
        </button>
      </div>
    )
  }
  return (
    <form class="rename" onSubmit={(event) => void save(event)}>
      <label class="sr" for="title">
        Title
      </label>
      <input
        id="title"
        dir="auto"
        maxLength={200}
        value={text.value}
        aria-invalid={trouble.value !== ''}
        aria-describedby="title-trouble"
        ref={(input) => {
          if (input && document.activeElement !== input) input.focus()
        }}
        onInput={(event) => {
          text.value = event.currentTarget.value
        }}
        onKeyDown={(event) => {
          if (event.key === 'Escape') close()
        }}
      />
      <button type="submit" class="button button-main">
        Save
      </button>
      <button type="button" class="button button-plain" onClick={close}>
        Cancel
      </button>
      <p id="title-trouble" class="trouble" role="alert">
        {trouble.value}
      </p>
    </form>
  )
}
