// Short messages at the edge of the page, some with a way back.

import { signal } from '@preact/signals'
import type { ComponentChildren } from 'preact'
import { messageOf } from './problems.ts'
import { noticeSignedOut } from './session.ts'

interface Toast {
  id: number
  text: string
  isError: boolean
  undo?: (() => void) | undefined
}

const toasts = signal<Toast[]>([])
let lastId = 0
const shownMs = 5_000

const remove = (id: number) => {
  toasts.value = toasts.value.filter((toast) => toast.id !== id)
}

export function say(text: string, options: { isError?: boolean; undo?: () => void } = {}) {
  lastId += 1
  const id = lastId
  const { isError = false, undo } = options
  toasts.value = [...toasts.value.slice(-3), { id, text, isError, undo }]
  setTimeout(() => remove(id), isError ? 2 * shownMs : shownMs)
}

/** Shows a failure, unless it means that the user is not signed in. */
export function sayError(error: unknown): void {
  if (!noticeSignedOut(error)) say(messageOf(error), { isError: true })
}

export function Toasts({ children }: { children: ComponentChildren }) {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {children}
      {toasts.value.map(({ id, text, isError, undo }) => (
        <div key={id} class={isError ? 'toast toast-error' : 'toast'}>
          <span dir="auto">{text}</span>
          {undo && (
            <button
              type="button"
              class="button button-plain"
              onClick={() => {
                undo()
                remove(id)
              }}
            >
              Undo
            </button>
          )}
          <button type="button" class="close" aria-label="Dismiss" onClick={() => remove(id)}>
            ×
          </button>
        </div>
      ))}
    </div>
  )
}
