// The documents of a brief, each with its progress.

import { percent, size } from './format.ts'
import type { Upload, Uploads } from './uploads.ts'

export function UploadList({ uploads: { uploads, remove, retry } }: { uploads: Uploads }) {
  if (uploads.value.length === 0) return null
  return (
    <ul class="uploads" aria-label="Documents">
      {uploads.value.map((upload) => (
        <li key={upload.key} class={upload.trouble ? 'upload upload-failed' : 'upload'}>
          <span class="upload-name" dir="auto">
            {upload.name}
          </span>
          <State upload={upload} />
          {upload.trouble && upload.file && (
            <button type="button" class="button button-plain" onClick={() => retry(upload.key)}>
              Try again
            </button>
          )}
          <button
            type="button"
            class="close"
            aria-label={`Remove ${upload.name}`}
            onClick={() => remove(upload.key)}
          >
            ×
          </button>
        </li>
      ))}
    </ul>
  )
}

function State({ upload: { name, size: bytes, sent, sourceId, trouble } }: { upload: Upload }) {
  if (trouble) {
    return (
      <span class="trouble" role="alert">
        {trouble}
      </span>
    )
  }
  if (sourceId) return <span class="help">{size(bytes)}, ready</span>
  return (
    <>
      <progress value={sent} max={1} aria-label={`Upload of ${name}`} />
      <span class="help">{sent < 1 ? percent(sent) : 'Checking …'}</span>
    </>
  )
}
