// Lets the model change one slide by an instruction.

import { useSignal } from '@preact/signals'
import type { Presentation } from '../client/client.ts'
import { messageOf } from './problems.ts'
import { gateway, noticeSignedOut } from './session.ts'

interface EditSlideProps {
  id: string
  index: number
  revision: number | undefined
  onStarted: (deck: Presentation) => void
}

export function EditSlide({ id, index, revision, onStarted }: EditSlideProps) {
  const isOpen = useSignal(false)
  const instruction = useSignal('')
  const trouble = useSignal('')
  const isBusy = useSignal(false)

  async function submit(event: Event) {
    event.preventDefault()
    if (instruction.value.trim() === '' || isBusy.value) return
    isBusy.value = true
    trouble.value = ''
    try {
      onStarted(await gateway.presentations.editSlide(id, index, instruction.value, { revision }))
      instruction.value = ''
      isOpen.value = false
    } catch (error) {
      if (!noticeSignedOut(error)) trouble.value = messageOf(error)
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
        value={instruction.value}
        aria-invalid={trouble.value !== ''}
        aria-describedby={`${field}-trouble`}
        ref={(element) => {
          if (element && instruction.value === '') element.focus()
        }}
        onInput={(event) => {
          instruction.value = event.currentTarget.value
        }}
        onKeyDown={(event) => {
          if (event.key === 'Escape') isOpen.value = false
        }}
      />
      <p id={`${field}-trouble`} class="trouble" role="alert">
        {trouble.value}
      </p>
      <div class="row">
        <button
          type="submit"
          class="button button-main"
          disabled={isBusy.value || instruction.value.trim() === ''}
        >
          {isBusy.value ? 'Asking …' : 'Change it'}
        </button>
        <button
          type="button"
          class="button button-plain"
          onClick={() => {
            isOpen.value = false
          }}
        >
          Cancel
        </button>
      </div>
    </form>
  )
}
