// Sends the sources of a run from the store to upstream, one after the other. What upstream returns
// for them is needed only until the outlines are written.

import { readRunSources } from '../database/sources.ts'
import { openSource } from '../objects/open-source.ts'
import type { UpstreamAccount } from '../presenton/account.ts'
import type { Context } from './context.ts'

/** The handles of the uploaded sources, in the order of the brief. */
export async function uploadSources(context: Context, account: UpstreamAccount): Promise<string[]> {
  const { run, presenton, signal } = context
  // Outlines that exist already hold what the sources said.
  if (run.outlines !== null) return []
  const handles: string[] = []
  for (const source of await readRunSources(context.database, run.id)) {
    const { contentType } = source
    const file = await openSource(context, source)
    handles.push(await presenton.uploadSource({ account, signal, contentType, ...file }))
  }
  return handles
}
