// What can be done with a deck, in the library and on its own page.

import { useSignal } from '@preact/signals'
import type { ExportFormat, Presentation } from '../client/client.ts'
import { size, titleOf } from './format.ts'
import { announce, deleteDeck, putDeck, refresh } from './library.ts'
import { isOutdated } from './problems.ts'
import { deckPath, homePath, navigate, outlinesPath, route } from './router.ts'
import { gateway } from './session.ts'
import { sayError } from './toasts.tsx'

const formats: readonly ExportFormat[] = ['pptx', 'pdf']

interface DeckActionsProps {
  deck: Presentation
  /** In a row of the library. */
  isCompact?: boolean
  onChange?: (deck: Presentation) => void
}

export function DeckActions({ deck, isCompact = false, onChange }: DeckActionsProps) {
  const isBusy = useSignal(false)
  const { id, status, files, error } = deck

  async function act(call: () => Promise<Presentation>) {
    if (isBusy.value) return
    isBusy.value = true
    try {
      const changed = await call()
      putDeck(changed)
      onChange?.(changed)
      announce(id)
    } catch (failure) {
      sayError(failure)
      if (isOutdated(failure)) await showPresent()
    } finally {
      isBusy.value = false
    }
  }

  /** What was shown allowed what is not possible any more. */
  async function showPresent() {
    try {
      const present = await gateway.presentations.get(id)
      putDeck(present)
      onChange?.(present)
    } catch {
      await refresh(id)
    }
  }

  const { presentations } = gateway
  // A button without a frame would stand inwards of the text above it.
  const startsPlain =
    !isCompact && files.length === 0 && (status === 'queued' || status === 'running')
  const canRetry = status === 'cancelled' || (status === 'failed' && error?.retryable !== false)
  return (
    <fieldset class={startsPlain ? 'actions actions-start' : 'actions'} disabled={isBusy.value}>
      <legend class="sr">Actions for {titleOf(deck)}</legend>
      {status === 'awaiting_outlines' && (
        <a class="button button-main" href={outlinesPath(id)} data-state>
          Review outlines
        </a>
      )}
      {formats.map((format) => (
        <FileAction key={format} deck={deck} format={format} isCompact={isCompact} act={act} />
      ))}
      {status === 'completed' && deck.links.maker && (
        <button type="button" class="button" onClick={() => void openMaker(id)}>
          Open in the slide maker
        </button>
      )}
      {canRetry && (
        <button
          type="button"
          class={isCompact ? 'button' : 'button button-main'}
          onClick={() =>
            void act(async () => {
              const changed = await presentations.retry(id)
              if (isCompact) navigate(deckPath(id))
              return changed
            })
          }
        >
          Try again
        </button>
      )}
      {(status === 'queued' || status === 'running' || status === 'awaiting_outlines') && (
        <button
          type="button"
          class="button button-plain"
          onClick={() => void act(() => presentations.cancel(id))}
        >
          Cancel
        </button>
      )}
      {files.length > 0 &&
        status === 'completed' &&
        !isCompact &&
        files.some(({ stale }) => stale) && <p class="help">The files show an earlier version.</p>}
      <button
        type="button"
        class="button button-plain"
        aria-label={`Delete ${titleOf(deck)}`}
        onClick={() => {
          deleteDeck(deck)
          if (route.value.name !== 'home') navigate(homePath)
        }}
      >
        Delete
      </button>
    </fieldset>
  )
}

/**
 * Signed in, in a tab of its own. A browser opens a tab only at once, so its address comes later.
 */
async function openMaker(id: string) {
  const tab = window.open('', '_blank')
  if (tab) tab.opener = null
  try {
    const { url } = await gateway.presentations.maker(id)
    if (tab) tab.location.replace(url)
    else location.assign(url)
  } catch (failure) {
    tab?.close()
    sayError(failure)
  }
}

interface FileActionProps {
  deck: Presentation
  format: ExportFormat
  isCompact: boolean
  act: (call: () => Promise<Presentation>) => Promise<void>
}

function FileAction({ deck, format, isCompact, act }: FileActionProps) {
  const { id, files, status } = deck
  const file = files.find((stored) => stored.format === format)
  const name = format.toUpperCase()
  const isDone = status === 'completed'
  const startExport = () => void act(() => gateway.presentations.export(id, format))
  if (!file) {
    if (!isDone || isCompact) return null
    return (
      <button type="button" class="button" onClick={startExport}>
        Make a {name}
      </button>
    )
  }
  return (
    <span class="joined">
      <button
        type="button"
        class={isCompact || file.stale ? 'button' : 'button button-main'}
        onClick={() => void download(id, format)}
      >
        {isCompact ? name : `Download ${name}`}
        {!isCompact && <span class="button-note">{size(file.size_bytes)}</span>}
        {file.stale && <span class="button-note">outdated</span>}
      </button>
      {isDone && !isCompact && (
        <button
          type="button"
          class={file.stale ? 'button button-main' : 'button button-plain'}
          title={`Makes the ${name} again`}
          onClick={startExport}
        >
          {file.stale ? `Export the new ${name}` : `Export ${name} again`}
        </button>
      )}
    </span>
  )
}

/** The link is made for this moment; the store sends the file as an attachment. */
async function download(id: string, format: ExportFormat): Promise<void> {
  try {
    const { url } = await gateway.presentations.download(id, { format })
    location.assign(url)
  } catch (error) {
    sayError(error)
  }
}
