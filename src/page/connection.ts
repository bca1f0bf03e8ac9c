// Whether the gateway can be reached, and whether it asks to wait: both pass by themselves, and the
// user should know why nothing moves.

import { signal } from '@preact/signals'
import { base } from './settings.ts'

export const isOffline = signal(!navigator.onLine)
/** The client repeats a call when the gateway asks to wait. */
export const busy = signal<{ detail: string; untilMs: number } | undefined>(undefined)

const probeMs = 3_000
const probeTimeoutMs = 10_000
/** A longer wait is an error at once: the client does not repeat the call. */
const maxWaitSeconds = 60
let probing: ReturnType<typeof setTimeout> | undefined
let isProbing = false

window.addEventListener('offline', () => {
  isOffline.value = true
  void probe()
})
window.addEventListener('online', () => {
  isOffline.value = false
})

/** One lost request may be bad luck; two mean that there is no connection. */
async function probe(): Promise<void> {
  if (isProbing) return
  isProbing = true
  clearTimeout(probing)
  try {
    const signal = AbortSignal.timeout(probeTimeoutMs)
    await fetch(`${base}/`, { method: 'HEAD', cache: 'no-store', signal })
    isOffline.value = false
  } catch {
    isOffline.value = true
    probing = setTimeout(() => void probe(), probeMs)
  } finally {
    isProbing = false
  }
}

/** Looks at what comes of each request of the client. */
export async function watchConnection(
  request: Promise<Response>,
  signal: AbortSignal | null | undefined,
): Promise<Response> {
  try {
    const response = await request
    const seconds = Number(response.headers.get('retry-after') ?? Number.NaN)
    const isBusy = response.status === 429 || response.status === 503
    if (isBusy && seconds <= maxWaitSeconds) {
      busy.value = { detail: await readDetail(response), untilMs: Date.now() + seconds * 1000 }
    } else if (response.ok) busy.value = undefined
    return response
  } catch (error) {
    if (!signal?.aborted) void probe()
    throw error
  }
}

async function readDetail(response: Response): Promise<string> {
  try {
    const { detail } = (await response.clone().json()) as { detail?: unknown }
    return typeof detail === 'string' ? detail : ''
  } catch {
    return ''
  }
}
