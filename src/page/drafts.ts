// What the user has typed and not sent yet. It is kept for this tab only, so that a reload, the end
// of a session or the way over a login page loses nothing.

import { type Signal, useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'

const prefix = 'draft:'

/** Undefined when there is none, or the browser keeps nothing. */
export function readDraft<T>(name: string): T | undefined {
  try {
    const text = sessionStorage.getItem(prefix + name)
    return text === null ? undefined : (JSON.parse(text) as T)
  } catch {
    return undefined
  }
}

/** Undefined removes it. */
export function keepDraft(name: string, value: unknown): void {
  try {
    if (value === undefined) sessionStorage.removeItem(prefix + name)
    else sessionStorage.setItem(prefix + name, JSON.stringify(value))
  } catch {
    // The storage is full or forbidden: the text is on the page still.
  }
}

/** The next user of this tab must not see them. */
export function dropDrafts(): void {
  for (const name of Object.keys(sessionStorage)) {
    if (name.startsWith(prefix)) sessionStorage.removeItem(name)
  }
}

/** A text that is kept while it is not empty. */
export function useDraft(name: string): Signal<string> {
  const text = useSignal(readDraft<string>(name) ?? '')
  useEffect(() => keepDraft(name, text.value || undefined), [name, text.value])
  return text
}
