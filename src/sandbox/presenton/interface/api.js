// The requests of the interface, in the forms of the recordings.

export const ppt = '/api/v1/ppt'

/** The JSON of the response. Throws its `detail` where it is refused. */
export async function call(path, { method = 'GET', body, form, type = 'application/json' } = {}) {
  const response = await fetch(path, {
    method,
    headers: {
      accept: 'application/json',
      ...(method !== 'GET' && !form && { 'content-type': type }),
    },
    ...(form ? { body: form } : body !== undefined && { body: JSON.stringify(body) }),
  })
  if (!response.ok) throw new Error(await reasonOf(response))
  return response.status === 204 ? undefined : response.json()
}

async function reasonOf(response) {
  const body = await response.json().catch(() => ({}))
  const { detail, error } = body
  return String(typeof detail === 'string' ? detail : (error ?? `error ${response.status}`))
}

/** Opens an event stream. The interface opens it again by itself, three times in all. */
export function openStream(path, { onMessage, onFailure, retries = 3 }) {
  let source
  function open(left) {
    source = new EventSource(path)
    const fail = (detail) => {
      source.close()
      if (left > 0) setTimeout(() => open(left - 1), 500)
      else onFailure(detail)
    }
    source.addEventListener('response', ({ data }) => {
      const message = JSON.parse(data)
      if (message.type === 'error') return fail(message.detail)
      if (message.type === 'complete') source.close()
      return onMessage(message)
    })
    source.addEventListener('error', () => fail('The connection was lost.'))
  }
  open(retries)
  return () => source.close()
}

/** Posts JSON and gives each message of the event stream that comes back. */
export async function* postStream(path, body) {
  const response = await fetch(path, {
    method: 'POST',
    headers: { accept: 'application/json', 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  if (!response.ok) throw new Error(await reasonOf(response))
  let text = ''
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    text += read.value
    const frames = text.split('\n\n')
    text = frames.pop()
    for (const frame of frames) {
      const data = /^data: (.*)$/m.exec(frame)?.[1]
      if (data !== undefined) yield JSON.parse(data)
    }
  }
}

export async function uploadFiles(files) {
  const form = new FormData()
  for (const file of files) form.append('files', file)
  return call(`${ppt}/files/upload`, { method: 'POST', form })
}
