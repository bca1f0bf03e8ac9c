// Come in: a link to the login page, or a token that is pasted.

import { useSignal } from '@preact/signals'
import { messageOf } from './problems.ts'
import { openLoginPage, signIn, signInNote } from './session.ts'
import { loginUrl } from './settings.ts'

export function SignIn() {
  const token = useSignal('')
  const trouble = useSignal('')
  const isBusy = useSignal(false)

  async function submit(event: Event) {
    event.preventDefault()
    isBusy.value = true
    trouble.value = ''
    try {
      // A pasted token often brings its scheme and line ends along.
      await signIn(token.value.replace(/^\s*bearer\s+/i, '').replace(/\s+/g, ''))
    } catch (error) {
      trouble.value = messageOf(error)
    } finally {
      isBusy.value = false
    }
  }

  return (
    <div class="sign-in">
      <h1>From a conversation to a deck</h1>
      <p class="lead">
        Paste a summary or drop documents. Watch the slides as they are written. Download the file.
      </p>
      {signInNote.value && (
        <p class="note" role="status">
          {signInNote.value}
        </p>
      )}
      {loginUrl && (
        <button type="button" class="button button-main button-large" onClick={openLoginPage}>
          Sign in
        </button>
      )}
      <details class="token" open={!loginUrl}>
        <summary>{loginUrl ? 'Or paste a token' : 'Sign in with a token'}</summary>
        <form onSubmit={(event) => void submit(event)}>
          <label for="token">Access token</label>
          <textarea
            id="token"
            class="mono"
            rows={3}
            spellcheck={false}
            autocomplete="off"
            required
            value={token.value}
            aria-invalid={trouble.value !== ''}
            aria-describedby="token-help token-trouble"
            onInput={(event) => {
              token.value = event.currentTarget.value
            }}
          />
          <p id="token-help" class="help">
            The token becomes a cookie that scripts cannot read. The page keeps no copy.
          </p>
          <p id="token-trouble" class="trouble" role="alert">
            {trouble.value}
          </p>
          <button
            type="submit"
            class={loginUrl ? 'button' : 'button button-main'}
            disabled={isBusy.value}
          >
            {isBusy.value ? 'Signing in …' : 'Sign in with this token'}
          </button>
        </form>
      </details>
    </div>
  )
}
