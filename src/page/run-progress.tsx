// How far a run is: its stages, a bar, the time left, and what it waits for.

import { useSignal } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import type { Presentation } from '../client/client.ts'
import type { DeckModel } from './deck-model.ts'
import { percent, timeLeft } from './format.ts'

const stages = ['create', 'outlines', 'prepare', 'slides', 'export', 'store'] as const
const names: Record<string, string> = {
  create: 'Start',
  outlines: 'Outlines',
  prepare: 'Layout',
  slides: 'Slides',
  export: 'File',
  store: 'Save',
  edit: 'Change',
}

export function RunProgress({ model, deck }: { model: DeckModel; deck: Presentation }) {
  const { status, progress, stage } = deck
  const { notice } = model.state.value
  const stepAt = stages.indexOf(stage as (typeof stages)[number])
  const isOver = status === 'completed'
  /** Of the run that is shown, also when it is over. */
  const isEdit = useRef(false)
  if (!isOver) isEdit.current = stepAt === -1 && stage !== null
  return (
    <section class="run" aria-label="Progress">
      {!isEdit.current && (
        <ol class="stages">
          {stages.map((name, index) => {
            const isReview = status === 'awaiting_outlines' && index <= 1
            const isDone = isOver || isReview || index < stepAt
            const isNow = index === stepAt && !isReview
            return (
              <li
                key={name}
                class={isDone ? 'stage-done' : isNow ? 'stage-now' : ''}
                aria-current={isNow ? 'step' : undefined}
              >
                {names[name]}
                {isDone && <span class="sr"> (done)</span>}
              </li>
            )
          })}
        </ol>
      )}
      <progress
        class="run-bar"
        value={isOver ? 1 : progress}
        max={1}
        aria-label="Progress of the deck"
      />
      <div class="run-line">
        <p role="status" aria-live="polite">
          {isOver ? endOf(deck, isEdit.current) : sentence(deck, model.message.value)}
        </p>
        <AskToNotify isOver={isOver} />
        <p class="help">
          <TimeLeft deck={deck} /> {percent(isOver ? 1 : progress)}
        </p>
      </div>
      {notice && (
        <p class="note" dir="auto">
          {notice}
        </p>
      )}
    </section>
  )
}

function endOf({ error }: Presentation, isEdit: boolean): string {
  if (error) return 'The deck is as it was before.'
  return isEdit
    ? 'The slide has changed.'
    : 'Ready. Download the file, or change single slides below.'
}

function sentence({ status, queue_position: position }: Presentation, message: string): string {
  if (status === 'awaiting_outlines') return 'The outlines wait for your review.'
  if (status === 'queued') {
    return position === null || position <= 1
      ? 'Starts in a moment.'
      : `Number ${position} in line.`
  }
  return message || 'In progress'
}

function TimeLeft({ deck: { estimated_completion: estimate, status } }: { deck: Presentation }) {
  const now = useSignal(Date.now())
  useEffect(() => {
    const timer = setInterval(() => {
      now.value = Date.now()
    }, 1_000)
    return () => clearInterval(timer)
  }, [])
  if (estimate === null || status === 'awaiting_outlines') return null
  const leftMs = new Date(estimate).getTime() - now.value
  return <span>{leftMs > 2_000 ? `about ${timeLeft(leftMs)} left · ` : 'nearly done · '}</span>
}

/** Browsers allow the question after a click only. */
function AskToNotify({ isOver }: { isOver: boolean }) {
  const permission = useSignal(
    typeof Notification === 'undefined' ? 'denied' : Notification.permission,
  )
  if (permission.value !== 'default') return null
  return (
    <button
      type="button"
      class={
        isOver ? 'button button-plain button-small button-gone' : 'button button-plain button-small'
      }
      // Its place stays, so that nothing moves.
      disabled={isOver}
      onClick={() => {
        void Notification.requestPermission().then((answer) => {
          permission.value = answer
        })
      }}
    >
      Tell me when it is ready
    </button>
  )
}
