// Runs that stand in a stage whose stream beats on command: as many as a measure wants, each a
// presentation of the gateway.
import type { Ground } from './ground.ts'

export interface Runs {
  ids: string[]
  eventUrls: string[]
}

interface RunsOptions {
  url: string
  token: string
  count: number
  /** Which stream they wait in; `outlines` needs an upstream that holds those. */
  stage?: 'slides' | 'outlines'
}

/** Resolves once upstream has all their streams open. */
export async function openRuns(
  { upstream }: Ground,
  { url, token, count, stage = 'slides' }: RunsOptions,
): Promise<Runs> {
  const before = (await upstream.streams()).open[stage] ?? 0
  await upstream.set({ holds: stage })
  const brief =
    stage === 'slides'
      ? { outlines: ['The bridge', 'The ferry'] }
      : { content: 'The bridge is repaired in May.', n_slides: 2 }
  const ids: string[] = []
  for (let n = 0; n < count; n += 1) ids.push(await accept(url, token, brief))
  const deadline = performance.now() + 60_000
  while (((await upstream.streams()).open[stage] ?? 0) < before + count) {
    if (performance.now() > deadline)
      throw new Error(`${count} runs did not reach the stage ${stage} in a minute`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  await upstream.set({})
  return { ids, eventUrls: ids.map((id) => `${url}/api/v1/presentations/${id}/events`) }
}

export async function accept(url: string, token: string, brief: object): Promise<string> {
  const answer = await fetch(`${url}/api/v1/presentations`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(brief),
  })
  const body = (await answer.json()) as { id?: string }
  if (answer.status !== 202 || !body.id)
    throw new Error(`a brief was answered ${answer.status}: ${JSON.stringify(body)}`)
  return body.id
}
