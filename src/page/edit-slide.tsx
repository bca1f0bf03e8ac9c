// Lets the model change one slide by an instruction. The instruction is kept until the slide has
// changed: a run that fails gives it back.

import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import type { Presentation } from '../client/client.ts'
import { keepDraft, readDraft } from './drafts.ts'
import { isOutdated, messageOf } from './problems.ts'
import { randomHex } from './random.ts'
import { gateway, noticeSignedOut } from './session.ts'

interface EditSlideProps {
  id: string
  index: number
  revision: number | undefined
  /** Whether the deck's latest run has failed. */
  hasFailed: boolean
  onStarted: (deck: Presentation) => void
  /** The deck is not what this page shows. */
  onOutdated: () => void
}

interface Draft {
  text: string
  /** Which revision the run began with, once it was asked for. */
  sentFor?: number | undefined
  /** The same for each try, so that a lost response does not pay a change twice. */
  key: string
}

const nameOf = (id: string, index: number) => `slide ${id} ${index}`

/** Whether this tab has asked for a change of the slide. */
export const isAskedToChange = (id: string, index: number): boolean =>
  readDraft<Draft>(nameOf(id, index))?.sentFor !== undefined

export function EditSlide(props: EditSlideProps) {
  const { id, index, revision, hasFailed, onStarted, onOutdated } = props
  const name = nameOf(id, index)
  const draft = useSignal<Draft>(startWith(readDraft<Draft>(name), revision, hasFailed))
  const isOpen = useSignal(draft.value.text !== '')
  const trouble = useSignal('')
  const isBusy = useSignal(false)
  const { text } = draft.value

  useEffect(() => keepDraft(name, text ? draft.value : undefined), [name, draft.value])

  function close() {
    isOpen.value = false
    draft.value = empty()
  }

  async function submit(event: Event) {
    event.preventDefault()
    if (text.trim() === '' || isBusy.value) return
    isBusy.value = true
    trouble.value = ''
    try {
      const options = { revision, idempotencyKey: draft.value.key }
      const started = await gateway.presentations.editSlide(id, index, text, options)
      keepDraft(name, { ...draft.value, sentFor: revision })
      onStarted(started)
    } catch (error) {
      if (noticeSignedOut(error)) return
      trouble.value = messageOf(error)
      if (isOutdated(error)) onOutdated()
    } finally {
      isBusy.value = false
    }
  }

  if (!isOpen.value) {
    return (
      <button
        type="button"
        class="button button-plain slide-change"
        aria-label={`Change this slide, number ${index + 1}`}
        onClick={() => {
          isOpen.value = true
        }}
      >
        Change this slide
      </button>
    )
  }
  const field = `instruction-${index}`
  return (
    <form class="edit" onSubmit={(event) => void submit(event)}>
      <label for={field}>What should change on slide {index + 1}?</label>
      <textarea
        id={field}
        dir="auto"
        rows={2}
        maxLength={4000}
        placeholder="Shorter, and with the figures of this year"
        value={text}
        aria-invalid={trouble.value !== ''}
        aria-describedby={`${field}-trouble`}
        ref={(element) => {
          if (element && text === '') element.focus()
        }}
        onInput={(event) => {
          draft.value = { text: event.currentTarget.value, key: randomHex() }
        }}
        onKeyDown={(event) => {
          if (event.key === 'Escape') close()
        }}
      />
      <p id={`${field}-trouble`} class="trouble" role="alert">
        {trouble.value}
      </p>
      <div class="row">
        <button
          type="submit"
          class="button button-main"
          disabled={isBusy.value || text.trim() === ''}
        >
          {isBusy.value ? 'Asking …' : 'Change it'}
        </button>
        <button type="button" class="button button-plain" onClick={close}>
          Cancel
        </button>
      </div>
    </form>
  )
}

const empty = (): Draft => ({ text: '', key: randomHex() })

/** What was sent is done with, unless its run has failed. */
function startWith(
  draft: Draft | undefined,
  revision: number | undefined,
  hasFailed: boolean,
): Draft {
  if (!draft) return empty()
  if (draft.sentFor === undefined) return draft
  const isDone = draft.sentFor !== revision || !hasFailed
  return isDone ? empty() : { text: draft.text, key: randomHex() }
}
