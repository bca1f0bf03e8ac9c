// Settings: usage, webhooks, sign-out.

import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { memoryToken, signOut } from './session.ts'
import { sayError } from './toasts.tsx'
import { refreshUsage, UsageBars } from './usage-view.tsx'
import { Webhooks } from './webhooks-view.tsx'

export function SettingsView() {
  const isBusy = useSignal(false)
  useEffect(() => void refreshUsage(), [])
  return (
    <div class="settings">
      <h1>Settings</h1>
      <section aria-labelledby="usage-title" class="card">
        <h2 id="usage-title">Usage</h2>
        <UsageBars />
      </section>
      <Webhooks />
      <section aria-labelledby="session-title" class="card">
        <h2 id="session-title">Session</h2>
        <p class="help">
          {memoryToken.value === undefined
            ? 'You are signed in with a cookie of this browser, in all its tabs.'
            : 'Your token is too long for a cookie. It is in the memory of this tab only, and gone after a reload.'}
        </p>
        <button
          type="button"
          class="button"
          disabled={isBusy.value}
          onClick={() => {
            isBusy.value = true
            signOut()
              .catch(sayError)
              .finally(() => {
                isBusy.value = false
              })
          }}
        >
          Sign out
        </button>
      </section>
    </div>
  )
}
