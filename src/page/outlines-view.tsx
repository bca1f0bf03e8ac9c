// Review: the outlines are edited, added, removed and reordered, then approved.

import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { GatewayError, type Presentation } from '../client/client.ts'
import { keepDraft, readDraft } from './drafts.ts'
import { keepFollowing, onWake } from './follow.ts'
import { count, titleOf } from './format.ts'
import { announce, putDeck } from './library.ts'
import { NotFound } from './not-found.tsx'
import { type Draft, OutlineEditor, toDrafts } from './outline-editor.tsx'
import { isOutdated, messageOf } from './problems.ts'
import { RetryNote } from './retry-note.tsx'
import { deckPath, guardLeaving, navigate } from './router.ts'
import { gateway, noticeSignedOut } from './session.ts'
import { maxSlides } from './settings.ts'

const textOf = (texts: readonly string[]) => JSON.stringify(texts)

export function OutlinesView({ id }: { id: string }) {
  const deck = useSignal<Presentation | undefined>(undefined)
  const drafts = useSignal<Draft[]>([])
  /** As the gateway has them. */
  const saved = useSignal<string[] | undefined>(undefined)
  const trouble = useSignal('')
  const loadTrouble = useSignal('')
  const isMissing = useSignal(false)
  const isBusy = useSignal(false)
  const isRestored = useSignal(false)
  const draftName = `outlines ${id}`

  const texts = drafts.value.map(({ text }) => text)
  const isDirty = () =>
    saved.value !== undefined &&
    textOf(drafts.value.map(({ text }) => text)) !== textOf(saved.value)

  async function load(signal: AbortSignal) {
    const [found, { outlines }] = await Promise.all([
      gateway.presentations.get(id, { signal }),
      gateway.presentations.outlines(id, { signal }),
    ])
    loadTrouble.value = ''
    deck.value = found
    if (saved.value !== undefined) return
    const kept = found.status === 'awaiting_outlines' ? readDraft<string[]>(draftName) : undefined
    isRestored.value = kept !== undefined
    saved.value = outlines
    drafts.value = toDrafts(kept ?? outlines)
  }
  function fail(error: unknown) {
    if (error instanceof GatewayError && error.code === 'NOT_FOUND') isMissing.value = true
    else loadTrouble.value = messageOf(error)
  }
  const attempt = useSignal(0)
  function reload() {
    attempt.value += 1
  }

  useEffect(() => keepFollowing(load, fail, fail), [id, attempt.value])
  useEffect(() => onWake(reload), [])
  useEffect(() => guardDraft(isDirty, () => keepDraft(draftName, undefined)), [id])
  useEffect(() => {
    if (saved.value !== undefined) keepDraft(draftName, isDirty() ? texts : undefined)
  }, [drafts.value, saved.value])

  async function approve() {
    isBusy.value = true
    trouble.value = ''
    try {
      const approved = await gateway.presentations.approveOutlines(
        id,
        isDirty() ? { outlines: texts } : {},
      )
      keepDraft(draftName, undefined)
      saved.value = undefined
      putDeck(approved)
      announce(id)
      navigate(deckPath(id))
    } catch (error) {
      if (noticeSignedOut(error)) return
      trouble.value = messageOf(error)
      if (isOutdated(error)) {
        deck.value = await gateway.presentations.get(id).catch(() => deck.value)
      }
    } finally {
      isBusy.value = false
    }
  }

  if (isMissing.value) return <NotFound />
  const found = deck.value
  const canApprove = found?.status === 'awaiting_outlines'
  return (
    <div class="review">
      <p class="crumb">
        <a href={deckPath(id)} data-state>
          ← Back to the deck
        </a>
      </p>
      <h1>Review the outlines</h1>
      {found && (
        <p class="lead">
          Each becomes one slide of “<bdi>{titleOf(found)}</bdi>”. The first line is its title.
        </p>
      )}
      {found && !canApprove && <p class="note">{whyFixed(found)}</p>}
      {isRestored.value && canApprove && (
        <RestoredNote
          onDiscard={() => {
            drafts.value = toDrafts(saved.value ?? [])
            isRestored.value = false
          }}
        />
      )}
      {!found && loadTrouble.value === '' && <p aria-busy="true">Loading …</p>}
      {found && <OutlineEditor drafts={drafts} max={maxSlides} isFixed={!canApprove} />}
      <RetryNote trouble={loadTrouble.value} onRetry={reload} />
      <p class="trouble" role="alert">
        {trouble.value}
      </p>
      {canApprove && (
        <ApproveBar texts={texts} isBusy={isBusy.value} onApprove={() => void approve()} />
      )}
    </div>
  )
}

function whyFixed({ status }: Presentation): string {
  return status === 'failed' || status === 'cancelled'
    ? 'The deck is not being made now. “Try again” on its page continues it, and asks for your review again.'
    : 'These outlines are approved already, so they cannot be changed here.'
}

/** Asks before unsaved changes are left. Returns what ends that. */
function guardDraft(isDirty: () => boolean, forget: () => void): () => void {
  const release = guardLeaving(() => {
    if (!isDirty()) return true
    const mayLeave = confirm('Leave without your changes to the outlines?')
    if (mayLeave) forget()
    return mayLeave
  })
  const ask = (event: BeforeUnloadEvent) => {
    if (isDirty()) event.preventDefault()
  }
  window.addEventListener('beforeunload', ask)
  return () => {
    release()
    window.removeEventListener('beforeunload', ask)
  }
}

function RestoredNote({ onDiscard }: { onDiscard: () => void }) {
  return (
    <div class="note row">
      <p>Your changes from before are here again.</p>
      <button type="button" class="button" onClick={onDiscard}>
        Discard them
      </button>
    </div>
  )
}

interface ApproveBarProps {
  texts: string[]
  isBusy: boolean
  onApprove: () => void
}

function ApproveBar({ texts, isBusy, onApprove }: ApproveBarProps) {
  const isEmpty = texts.length === 0 || texts.some((text) => text.trim() === '')
  return (
    <div class="row row-submit row-sticky">
      <p class="help">
        {count(texts.length, 'slide')}
        {isEmpty ? ' · fill or remove the empty ones' : ''}
      </p>
      <button
        type="button"
        class="button button-main button-large"
        disabled={isBusy || isEmpty}
        onClick={onApprove}
      >
        {isBusy ? 'Approving …' : 'Approve and make the slides'}
      </button>
    </div>
  )
}
