// Review: the outlines are edited, added, removed and reordered, then approved.

import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { GatewayError, type Presentation } from '../client/client.ts'
import { count, titleOf } from './format.ts'
import { announce, putDeck } from './library.ts'
import { NotFound } from './not-found.tsx'
import { type Draft, OutlineEditor, toDrafts } from './outline-editor.tsx'
import { messageOf } from './problems.ts'
import { deckPath, guardLeaving, navigate } from './router.ts'
import { gateway, noticeSignedOut } from './session.ts'
import { maxSlides } from './settings.ts'

export function OutlinesView({ id }: { id: string }) {
  const deck = useSignal<Presentation | undefined>(undefined)
  const drafts = useSignal<Draft[]>([])
  const saved = useSignal('')
  const trouble = useSignal('')
  const isMissing = useSignal(false)
  const isBusy = useSignal(false)

  const textOf = (list: Draft[]) => JSON.stringify(list.map(({ text }) => text))
  const isDirty = () => saved.value !== '' && textOf(drafts.value) !== saved.value

  useEffect(() => {
    const leaving = new AbortController()
    const { signal } = leaving
    Promise.all([
      gateway.presentations.get(id, { signal }),
      gateway.presentations.outlines(id, { signal }),
    ]).then(
      ([found, { outlines }]) => {
        deck.value = found
        drafts.value = toDrafts(outlines)
        saved.value = textOf(drafts.value)
      },
      (error: unknown) => {
        if (signal.aborted || noticeSignedOut(error)) return
        if (error instanceof GatewayError && error.code === 'NOT_FOUND') isMissing.value = true
        else trouble.value = messageOf(error)
      },
    )
    const release = guardLeaving(
      () => !isDirty() || confirm('Leave without your changes to the outlines?'),
    )
    const ask = (event: BeforeUnloadEvent) => {
      if (isDirty()) event.preventDefault()
    }
    window.addEventListener('beforeunload', ask)
    return () => {
      leaving.abort()
      release()
      window.removeEventListener('beforeunload', ask)
    }
  }, [id])

  async function approve() {
    isBusy.value = true
    trouble.value = ''
    try {
      const outlines = isDirty() ? { outlines: drafts.value.map(({ text }) => text) } : {}
      const approved = await gateway.presentations.approveOutlines(id, outlines)
      saved.value = ''
      putDeck(approved)
      announce(id)
      navigate(deckPath(id))
    } catch (error) {
      if (!noticeSignedOut(error)) trouble.value = messageOf(error)
    } finally {
      isBusy.value = false
    }
  }

  if (isMissing.value) return <NotFound />
  const found = deck.value
  const canApprove = found?.status === 'awaiting_outlines'
  const isEmpty = drafts.value.length === 0 || drafts.value.some(({ text }) => text.trim() === '')
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
      {found && !canApprove && (
        <p class="note">These outlines are approved already, so they cannot be changed here.</p>
      )}
      {!found && trouble.value === '' && <p aria-busy="true">Loading …</p>}
      {found && <OutlineEditor drafts={drafts} max={maxSlides} isFixed={!canApprove} />}
      <p class="trouble" role="alert">
        {trouble.value}
      </p>
      {canApprove && (
        <div class="row row-submit row-sticky">
          <p class="help">
            {count(drafts.value.length, 'slide')}
            {isEmpty ? ' · fill or remove the empty ones' : ''}
          </p>
          <button
            type="button"
            class="button button-main button-large"
            disabled={isBusy.value || isEmpty}
            onClick={() => void approve()}
          >
            {isBusy.value ? 'Approving …' : 'Approve and make the slides'}
          </button>
        </div>
      )}
    </div>
  )
}
