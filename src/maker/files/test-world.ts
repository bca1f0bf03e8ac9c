// What the tests of documents and images have in common.

import type { User } from '../../journeys/user.ts'
import type { createCalls, PaidWorld } from '../paid/test-world.ts'

type Call = ReturnType<typeof createCalls>['call']

export interface SentFile {
  name: string
  content: string | Uint8Array
  type?: string
}

export function formOf(files: SentFile[], part = 'files'): FormData {
  const form = new FormData()
  for (const { name, content, type = 'application/octet-stream' } of files)
    form.append(part, new File([content as Uint8Array<ArrayBuffer>], name, { type }), name)
  return form
}

export const notes = { name: 'notes.txt', content: 'The ferry runs until May.' }

/** Uploads documents, and returns what the interface gets for them. */
export async function uploadDocuments(call: Call, user: User, ...files: SentFile[]) {
  const response = await call(user, 'files/upload', { method: 'POST', body: formOf(files) })
  if (response.status !== 200) throw new Error(await response.text())
  return (await response.json()) as string[]
}

/** The requests that upstream got while `act` ran, without those of checks in the background. */
export async function upstreamDuring(world: PaidWorld['world'], act: () => Promise<unknown>) {
  const lines = await world.upstreamDuring(act)
  return lines.filter((line) => !/\/(?:auth\/|openapi\.json)/.test(line))
}
