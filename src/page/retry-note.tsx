// Why something cannot be shown, and a way to read it again.

interface RetryNoteProps {
  /** Empty: nothing is wrong. */
  trouble: string
  onRetry: () => void
}

export function RetryNote({ trouble, onRetry }: RetryNoteProps) {
  if (!trouble) return null
  return (
    <div class="note note-bad row" role="alert">
      <p>{trouble}</p>
      <button type="button" class="button" onClick={onRetry}>
        Try again
      </button>
    </div>
  )
}
