// The brief: a summary or documents, and options that are folded away, since their defaults are
// good.

import { type Signal, useSignal } from '@preact/signals'
import type { RefObject } from 'preact'
import { useEffect, useMemo, useRef } from 'preact/hooks'
import type { Brief } from '../client/client.ts'
import { keepDraft, readDraft, useDraft } from './drafts.ts'
import { Field } from './field.tsx'
import { onWake } from './follow.ts'
import { count } from './format.ts'
import { announce, putDeck } from './library.ts'
import { defaultOptions, OptionFields, type Options, toBrief } from './options.tsx'
import { noTrouble, type Trouble, toTrouble } from './problems.ts'
import { randomHex } from './random.ts'
import { deckPath, navigate } from './router.ts'
import { samples } from './samples.ts'
import { gateway, noticeSignedOut } from './session.ts'
import { UploadList } from './upload-list.tsx'
import { createUploads, maxSources } from './uploads.ts'
import { RemainingQuota, refreshUsage } from './usage-view.tsx'

const types =
  '.pdf,.pptx,.docx,.xlsx,.odt,.ods,.odp,.rtf,.txt,.md,.markdown,.csv,.tsv,.png,.jpg,.jpeg,.webp'
/** What was asked for, to ask for the same again: a lost response must not make two decks. */
interface Submission {
  brief: string
  key: string
}
const submissionName = 'submission'

function keyFor(brief: string): string {
  const before = readDraft<Submission>(submissionName)
  if (before?.brief === brief) return before.key
  const key = randomHex()
  keepDraft(submissionName, { brief, key })
  return key
}

function briefOf(content: string, sources: string[], options: Options): Brief {
  const brief: Record<string, unknown> = toBrief(options)
  if (content.trim() !== '') brief['content'] = content
  if (sources.length > 0) brief['sources'] = sources
  return brief as Brief
}

function showInvalid(form: HTMLFormElement | null) {
  const invalid = form?.querySelector<HTMLElement>('[aria-invalid="true"]')
  const details = invalid?.closest('details')
  if (details) details.open = true
  invalid?.focus()
}

export function Composer() {
  const content = useDraft('content')
  const options = useSignal<Options>({ ...defaultOptions, ...readDraft<Options>('options') })
  const trouble = useSignal<Trouble>(noTrouble)
  const isBusy = useSignal(false)
  const isOver = useSignal(false)
  const uploads = useMemo(createUploads, [])
  const field = useRef<HTMLTextAreaElement>(null)
  const form = useRef<HTMLFormElement>(null)

  useEffect(() => keepDraft('options', options.value), [options.value])
  useEffect(() => onWake(uploads.resume, uploads.pause), [])

  const sources = uploads.uploads.value.flatMap(({ sourceId }) => sourceId ?? [])
  const hasInput = content.value.trim() !== '' || sources.length > 0

  async function submit(event: Event) {
    event.preventDefault()
    if (isBusy.value) return
    isBusy.value = true
    trouble.value = noTrouble
    try {
      const brief = briefOf(content.value, sources, options.value)
      const idempotencyKey = keyFor(JSON.stringify(brief))
      const deck = await gateway.presentations.create(brief, { idempotencyKey })
      for (const name of ['content', 'options', submissionName]) keepDraft(name, undefined)
      uploads.clear()
      putDeck(deck, { isNew: true })
      announce(deck.id)
      navigate(deckPath(deck.id))
    } catch (error) {
      if (noticeSignedOut(error)) return
      trouble.value = toTrouble(error)
      void refreshUsage()
      requestAnimationFrame(() => showInvalid(form.current))
    } finally {
      isBusy.value = false
    }
  }

  function drop(event: DragEvent) {
    event.preventDefault()
    isOver.value = false
    uploads.add(event.dataTransfer?.files ?? [])
  }

  const { fields, message } = trouble.value
  const hasFields = Object.keys(fields).length > 0
  return (
    <form
      ref={form}
      class={isOver.value ? 'composer composer-over' : 'composer'}
      noValidate
      onSubmit={(event) => void submit(event)}
      onDragOver={(event) => {
        event.preventDefault()
        isOver.value = true
      }}
      onDragLeave={() => {
        isOver.value = false
      }}
      onDrop={drop}
    >
      <SummaryField content={content} field={field} trouble={fields['content']} />
      <div class="row row-hints">
        <DocumentPicker onFiles={uploads.add} />
        {content.value === '' && (
          <Samples
            onPick={(text) => {
              content.value = text
              field.current?.focus()
            }}
          />
        )}
      </div>
      <UploadList uploads={uploads} />
      {fields['sources'] && (
        <p class="trouble" role="alert">
          {fields['sources']}
        </p>
      )}
      <OptionFields options={options} troubles={fields} />
      {message && !hasFields && (
        <p class="note note-bad" role="alert">
          {message}
        </p>
      )}
      <div class="row row-submit">
        <RemainingQuota />
        <button
          type="submit"
          class="button button-main button-large"
          disabled={isBusy.value || !hasInput || uploads.isBusy()}
        >
          {isBusy.value
            ? 'Making …'
            : `Make ${count(Number(options.value.n_slides) || 8, 'slide')}`}
        </button>
      </div>
    </form>
  )
}

interface SummaryFieldProps {
  content: Signal<string>
  field: RefObject<HTMLTextAreaElement | null>
  trouble: string | undefined
}

function SummaryField({ content, field, trouble }: SummaryFieldProps) {
  return (
    <Field id="content" label="Summary" trouble={trouble}>
      <textarea
        id="content"
        ref={field}
        dir="auto"
        rows={7}
        placeholder="What was the conversation about? What was decided, and what is open?"
        value={content.value}
        aria-invalid={trouble !== undefined}
        aria-describedby="content-trouble"
        onInput={(event) => {
          content.value = event.currentTarget.value
        }}
      />
    </Field>
  )
}

function DocumentPicker({ onFiles }: { onFiles: (files: Iterable<File>) => void }) {
  const picker = useRef<HTMLInputElement>(null)
  return (
    <>
      <button type="button" class="button" onClick={() => picker.current?.click()}>
        Add documents
      </button>
      <input
        ref={picker}
        type="file"
        multiple
        hidden
        aria-label="Documents"
        accept={types}
        onChange={(event) => {
          onFiles(event.currentTarget.files ?? [])
          event.currentTarget.value = ''
        }}
      />
      <span class="help">or drop up to {maxSources} here</span>
    </>
  )
}

function Samples({ onPick }: { onPick: (text: string) => void }) {
  return (
    <span class="samples">
      <span class="help">Try an example:</span>
      {samples.map(({ name, text }) => (
        <button key={name} type="button" class="chip" onClick={() => onPick(text)}>
          {name}
        </button>
      ))}
    </span>
  )
}
