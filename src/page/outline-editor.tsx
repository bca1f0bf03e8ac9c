// The editor of outlines: texts, order by mouse, touch and keyboard, additions and removals.

import { type Signal, useSignal } from '@preact/signals'
import { useRef } from 'preact/hooks'
import { readOutline } from './deck-state.ts'

export interface Draft {
  key: number
  text: string
}

let lastKey = 0

export function toDrafts(outlines: readonly string[]): Draft[] {
  return outlines.map((text) => {
    lastKey += 1
    return { key: lastKey, text }
  })
}

interface OutlineEditorProps {
  drafts: Signal<Draft[]>
  max: number
  isFixed: boolean
}

export function OutlineEditor({ drafts, max, isFixed }: OutlineEditorProps) {
  const list = useRef<HTMLOListElement>(null)
  const dragged = useSignal<number | undefined>(undefined)
  /** For users of screen readers. */
  const said = useSignal('')

  function move(key: number, to: number) {
    const from = drafts.value.findIndex((draft) => draft.key === key)
    const target = Math.max(0, Math.min(drafts.value.length - 1, to))
    if (from === -1 || from === target) return
    const next = [...drafts.value]
    const [moved] = next.splice(from, 1)
    if (moved) next.splice(target, 0, moved)
    drafts.value = next
    said.value = `Now slide ${target + 1} of ${next.length}.`
  }

  /** The place whose middle the pointer has passed. */
  function drag(event: PointerEvent) {
    if (dragged.value === undefined || !list.current) return
    const others = [...list.current.children].filter(
      (element) => Number(element.getAttribute('data-key')) !== dragged.value,
    )
    const above = others.filter((element) => {
      const { top, height } = element.getBoundingClientRect()
      return event.clientY > top + height / 2
    })
    move(dragged.value, above.length)
  }

  function handleOf(key: number, index: number): Handle {
    return {
      onPointerDown(event: PointerEvent) {
        if (event.button !== 0 || !(event.currentTarget instanceof Element)) return
        event.currentTarget.setPointerCapture(event.pointerId)
        dragged.value = key
      },
      onPointerMove: drag,
      onPointerUp: () => {
        dragged.value = undefined
      },
      onPointerCancel: () => {
        dragged.value = undefined
      },
      onKeyDown(event: KeyboardEvent) {
        const step = { ArrowUp: -1, ArrowDown: 1 }[event.key]
        if (step === undefined) return
        event.preventDefault()
        const handle = event.currentTarget
        move(key, index + step)
        // Moving an element in the document takes the focus from it.
        requestAnimationFrame(() => handle instanceof HTMLElement && handle.focus())
      },
    }
  }

  return (
    <>
      <p class="sr" role="status">
        {said.value}
      </p>
      <ol class="editor" ref={list}>
        {drafts.value.map(({ key, text }, index) => (
          <DraftItem
            key={key}
            draft={{ key, text }}
            place={index + 1}
            isFixed={isFixed}
            isDragged={dragged.value === key}
            handle={handleOf(key, index)}
            onText={(value) => {
              drafts.value = drafts.value.map((draft) =>
                draft.key === key ? { key, text: value } : draft,
              )
            }}
            onRemove={() => {
              drafts.value = drafts.value.filter((draft) => draft.key !== key)
              said.value = `Outline ${index + 1} is removed.`
            }}
          />
        ))}
      </ol>
      {!isFixed && drafts.value.length < max && (
        <button
          type="button"
          class="button"
          onClick={() => {
            drafts.value = [...drafts.value, ...toDrafts([''])]
            requestAnimationFrame(() => {
              list.current?.lastElementChild?.querySelector('textarea')?.focus()
            })
          }}
        >
          Add an outline
        </button>
      )}
    </>
  )
}

/** What moves an outline by mouse, touch and keyboard. */
interface Handle {
  onPointerDown(event: PointerEvent): void
  onPointerMove(event: PointerEvent): void
  onPointerUp(): void
  onPointerCancel(): void
  onKeyDown(event: KeyboardEvent): void
}

interface DraftItemProps {
  draft: Draft
  place: number
  isFixed: boolean
  isDragged: boolean
  handle: Handle
  onText: (text: string) => void
  onRemove: () => void
}

function DraftItem({ draft, place, isFixed, isDragged, handle, onText, onRemove }: DraftItemProps) {
  const { key, text } = draft
  return (
    <li data-key={key} class={isDragged ? 'draft draft-dragged' : 'draft'}>
      <span class="draft-number">{place}</span>
      <textarea
        dir="auto"
        aria-label={`Outline ${place}`}
        rows={Math.min(8, Math.max(3, text.split('\n').length + 1))}
        maxLength={10_000}
        readOnly={isFixed}
        value={text}
        onInput={(event) => onText(event.currentTarget.value)}
      />
      {!isFixed && (
        <span class="draft-tools">
          <button
            type="button"
            class="handle"
            title="Drag, or use the arrow keys"
            aria-label={`Move outline ${place}: ${readOutline(text).title}. Use the arrow keys.`}
            {...handle}
          >
            ⠿
          </button>
          <button
            type="button"
            class="close"
            title="Remove"
            aria-label={`Remove outline ${place}`}
            onClick={onRemove}
          >
            ×
          </button>
        </span>
      )}
    </li>
  )
}
