// Uploads documents to the gateway, as an agent's tool would.

import { openAsBlob } from 'node:fs'
import { basename } from 'node:path'
import { type Access, GatewayError } from './demo.ts'

/** Resolves with the ids of the new sources. Rejects with GatewayError when one is refused. */
export async function uploadSources(
  { url, token, signal }: Access,
  paths: string[],
): Promise<string[]> {
  const form = new FormData()
  for (const path of paths) form.append('files', await openAsBlob(path), basename(path))
  const response = await fetch(`${url}/api/v1/sources`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}` },
    body: form,
    signal,
  })
  const body = (await response.json()) as {
    items?: { id: string }[]
    detail?: string
    errors?: { path: string; message: string }[]
  }
  if (response.status === 201 && body.items) return body.items.map(({ id }) => id)
  const places = (body.errors ?? []).map(({ path, message }) => `${path} ${message}`)
  throw new GatewayError([body.detail ?? `Status ${response.status}.`, ...places].join(' '))
}
