// An image of a slide, from the gateway's own origin. Where the token is in memory only, the image
// is fetched with it, since an img element can only send a cookie.

import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { gateway, memoryToken } from './session.ts'
import { base } from './settings.ts'

export function SlideImage({ path }: { path: string }) {
  const hasFailed = useSignal(false)
  const object = useSignal<string | undefined>(undefined)
  const needsToken = memoryToken.value !== undefined
  useEffect(() => {
    if (!needsToken) return undefined
    const leaving = new AbortController()
    gateway.images
      .read(path, { signal: leaving.signal })
      .then((blob) => {
        object.value = URL.createObjectURL(blob)
      })
      .catch(() => {
        hasFailed.value = true
      })
    return () => {
      leaving.abort()
      if (object.value) URL.revokeObjectURL(object.value)
    }
  }, [path, needsToken])
  const source = needsToken ? object.value : base + path
  if (hasFailed.value || source === undefined) return <div class="slide-image slide-image-empty" />
  return (
    <div class="slide-image">
      <img
        src={source}
        alt=""
        loading="lazy"
        decoding="async"
        onError={() => {
          hasFailed.value = true
        }}
      />
    </div>
  )
}
