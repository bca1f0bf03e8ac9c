// Webhooks: other systems that are told of the user's decks.

import { type Signal, useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import type { Webhook } from '../client/client.ts'
import { GatewayError } from '../client/client.ts'
import { useDraft } from './drafts.ts'
import { Field } from './field.tsx'
import { messageOf, noTrouble, type Trouble, toTrouble } from './problems.ts'
import { RetryNote } from './retry-note.tsx'
import { gateway, noticeSignedOut } from './session.ts'
import { say, sayError } from './toasts.tsx'

export function Webhooks() {
  const webhooks = useSignal<Webhook[] | undefined>(undefined)
  const isOff = useSignal(false)
  const loadTrouble = useSignal('')
  const secret = useSignal('')
  const url = useDraft('webhook')
  const trouble = useSignal<Trouble>(noTrouble)

  async function load() {
    try {
      const found: Webhook[] = []
      for await (const webhook of gateway.webhooks.list()) found.push(webhook)
      webhooks.value = found
      loadTrouble.value = ''
    } catch (error) {
      // An installation may have no webhooks.
      if (error instanceof GatewayError && error.code === 'NOT_FOUND') isOff.value = true
      else if (!noticeSignedOut(error)) loadTrouble.value = messageOf(error)
    }
  }
  useEffect(() => void load(), [])

  async function add(event: Event) {
    event.preventDefault()
    trouble.value = noTrouble
    try {
      const created = await gateway.webhooks.create({ url: url.value.trim() })
      secret.value = created.secret ?? ''
      url.value = ''
      await load()
    } catch (error) {
      const isSwitchedOff = error instanceof GatewayError && error.code === 'NOT_SUPPORTED'
      if (isSwitchedOff) {
        const message = 'Webhooks are not switched on here. Ask your operator for them.'
        trouble.value = { message, fields: {} }
      } else if (!noticeSignedOut(error)) trouble.value = toTrouble(error)
    }
  }

  async function change(call: Promise<unknown>, done?: string): Promise<void> {
    try {
      await call
      if (done) say(done)
      await load()
    } catch (error) {
      sayError(error)
    }
  }

  if (isOff.value) return null
  const failure = trouble.value.fields['url'] ?? trouble.value.message
  return (
    <section aria-labelledby="webhooks-title" class="card">
      <h2 id="webhooks-title">Webhooks</h2>
      <p class="help">
        An address that is called when a deck is ready, fails, is exported or deleted. Each call is
        signed with the secret of its webhook.
      </p>
      <RetryNote trouble={loadTrouble.value} onRetry={() => void load()} />
      {webhooks.value?.length === 0 && <p class="empty">There are none yet.</p>}
      <ul class="webhooks">
        {webhooks.value?.map((webhook) => (
          <WebhookItem key={webhook.id} webhook={webhook} onChange={change} />
        ))}
      </ul>
      {secret.value && (
        <div class="note" role="status">
          <p>The secret of the new webhook. It is shown this once:</p>
          <p class="mono secret">{secret.value}</p>
        </div>
      )}
      <NewWebhook url={url} failure={failure} onSubmit={add} />
    </section>
  )
}

type Change = (call: Promise<unknown>, done?: string) => Promise<void>

function WebhookItem({ webhook, onChange }: { webhook: Webhook; onChange: Change }) {
  const { id, url, enabled } = webhook
  return (
    <li>
      <span class="webhook-url mono" dir="ltr">
        {url}
      </span>
      <span class="help">{stateOf(webhook)}</span>
      <span class="actions">
        <button
          type="button"
          class="button button-plain"
          onClick={() => void onChange(gateway.webhooks.test(id), 'A test is on its way.')}
        >
          Test
        </button>
        <button
          type="button"
          class="button button-plain"
          onClick={() => void onChange(gateway.webhooks.update(id, { enabled: !enabled }))}
        >
          {enabled ? 'Turn off' : 'Turn on'}
        </button>
        <button
          type="button"
          class="button button-plain"
          aria-label={`Delete the webhook ${url}`}
          onClick={() => void onChange(gateway.webhooks.delete(id))}
        >
          Delete
        </button>
      </span>
    </li>
  )
}

function stateOf(webhook: Webhook): string {
  if (webhook.enabled) return 'On'
  return webhook.disabled_reason ? 'Off, because its calls failed' : 'Off'
}

interface NewWebhookProps {
  url: Signal<string>
  failure: string
  onSubmit: (event: Event) => Promise<void>
}

function NewWebhook({ url, failure, onSubmit }: NewWebhookProps) {
  return (
    <form class="row row-field" onSubmit={(event) => void onSubmit(event)}>
      <Field id="webhook" label="New webhook" trouble={failure}>
        <input
          id="webhook"
          type="url"
          required
          placeholder="https://example.com/hooks/decks"
          value={url.value}
          aria-invalid={failure !== ''}
          aria-describedby="webhook-trouble"
          onInput={(event) => {
            url.value = event.currentTarget.value
          }}
        />
      </Field>
      <button type="submit" class="button">
        Add
      </button>
    </form>
  )
}
