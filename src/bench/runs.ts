// Runs of the gateway that wait in a stage whose upstream stream emits events on command.
import type { BenchEnvironment } from './environment.ts'

export interface Runs {
  ids: string[]
  eventUrls: string[]
}

interface RunsOptions {
  /** The gateway's origin. */
  url: string
  token: string
  count: number
  /** The stage whose upstream stream is held open. */
  stage?: 'slides' | 'outlines'
}

/** Resolves once the upstream streams of all runs are open. */
export async function startRuns(
  { upstream }: BenchEnvironment,
  { url, token, count, stage = 'slides' }: RunsOptions,
): Promise<Runs> {
  const before = (await upstream.readState()).open[stage] ?? 0
  await upstream.configure({ holds: stage })
  const brief =
    stage === 'slides'
      ? { outlines: ['The bridge', 'The ferry'] }
      : { content: 'The bridge is repaired in May.', n_slides: 2 }
  const ids: string[] = []
  for (let n = 0; n < count; n += 1) ids.push(await postBrief(url, token, brief))
  const deadline = performance.now() + 60_000
  while (((await upstream.readState()).open[stage] ?? 0) < before + count) {
    if (performance.now() > deadline)
      throw new Error(`${count} runs did not reach the stage ${stage} in a minute`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  await upstream.configure({})
  return { ids, eventUrls: ids.map((id) => `${url}/api/v1/presentations/${id}/events`) }
}

/** Resolves with the presentation's id; rejects unless the response is 202. */
export async function postBrief(url: string, token: string, brief: object): Promise<string> {
  const response = await fetch(`${url}/api/v1/presentations`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(brief),
  })
  const body = (await response.json()) as { id?: string }
  if (response.status !== 202 || !body.id)
    throw new Error(`a brief was rejected with ${response.status}: ${JSON.stringify(body)}`)
  return body.id
}
