// Uploads files as a user of the gateway does.

import type { User } from './user.ts'

export interface UploadedFile {
  name: string
  content: Uint8Array | string
  type?: string
  /** The name of the part. */
  part?: string
}

export interface UploadOptions {
  headers?: Record<string, string>
  baseUrl?: string
}

export async function upload(
  user: Pick<User, 'token'>,
  url: string,
  files: UploadedFile[],
  { headers = {} }: UploadOptions = {},
) {
  const form = new FormData()
  for (const { name, content, type = 'application/octet-stream', part = 'files' } of files)
    form.append(part, new File([content as Uint8Array<ArrayBuffer>], name, { type }), name)
  const response = await fetch(`${url}/api/v1/sources`, {
    method: 'POST',
    headers: { authorization: `Bearer ${user.token}`, ...headers },
    body: form,
  })
  // biome-ignore lint/suspicious/noExplicitAny: journeys inspect every kind of response
  const body = (await response.json()) as any
  return { status: response.status, headers: response.headers, body }
}
