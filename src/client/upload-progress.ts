// A fetch that tells how much of its body was sent. Only XMLHttpRequest knows that.

type Fetch = typeof fetch

/** What is used of an XMLHttpRequest: Node's types do not have it. */
interface Xhr {
  upload: { onprogress: (event: { loaded: number; total: number }) => void }
  withCredentials: boolean
  responseType: string
  readonly response: ArrayBuffer
  readonly status: number
  onload: () => void
  onerror: () => void
  onabort: () => void
  open(method: string, url: string): void
  setRequestHeader(name: string, value: string): void
  getAllResponseHeaders(): string
  send(body: unknown): void
  abort(): void
}

/** Undefined where no progress is wanted, or the platform cannot tell. */
export function fetchWithProgress(
  onProgress: ((sent: number) => void) | undefined,
): Fetch | undefined {
  const { XMLHttpRequest } = globalThis as unknown as { XMLHttpRequest?: new () => Xhr }
  if (!onProgress || !XMLHttpRequest) return undefined
  return (url, init = {}) =>
    new Promise((resolve, reject) => {
      const { signal } = init
      const xhr = new XMLHttpRequest()
      const abort = () => xhr.abort()
      const fail = () => reject(signal?.aborted ? signal.reason : new TypeError('Failed to fetch'))
      xhr.upload.onprogress = ({ loaded, total }) => onProgress(total > 0 ? loaded / total : 0)
      xhr.onerror = fail
      xhr.onabort = fail
      xhr.onload = () => {
        signal?.removeEventListener('abort', abort)
        const { status } = xhr
        const body = status === 204 ? null : xhr.response
        resolve(new Response(body, { status, headers: headersOf(xhr) }))
      }
      xhr.open(init.method ?? 'GET', String(url))
      xhr.responseType = 'arraybuffer'
      xhr.withCredentials = init.credentials === 'include'
      for (const [name, value] of Object.entries(init.headers ?? {})) {
        xhr.setRequestHeader(name, String(value))
      }
      signal?.addEventListener('abort', abort, { once: true })
      if (signal?.aborted) fail()
      else xhr.send(init.body)
    })
}

function headersOf(xhr: Xhr): Headers {
  const headers = new Headers()
  for (const line of xhr.getAllResponseHeaders().trim().split('\r\n')) {
    const colon = line.indexOf(':')
    if (colon > 0) headers.append(line.slice(0, colon), line.slice(colon + 1).trim())
  }
  return headers
}
