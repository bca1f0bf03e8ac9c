// The slides at the end of a chaos test: they are as their user has left them, files say whether
// they show them, and each edit was paid at most once.

import { isDeepStrictEqual } from 'node:util'
import type { Report } from './report.ts'
import type { Scenario } from './scenario.ts'
import type { ChaosWorld } from './world.ts'

export async function verifySlides(
  { id, client, deck }: Pick<Scenario, 'id' | 'client' | 'deck'>,
  report: Report,
): Promise<void> {
  const { body } = await client.request(`/presentations/${id}`)
  for (const { format, revision, stale } of body.files)
    if (stale !== revision < body.revision)
      report.violate(id, `the ${format} of revision ${revision} is ${stale ? 'stale' : 'fresh'}`)
  if (!deck) return
  const { body: present } = await client.request(`/presentations/${id}/slides`)
  if (!isDeepStrictEqual(present, deck))
    report.violate(id, `its slides are ${JSON.stringify(present)}, not ${JSON.stringify(deck)}`)
  if (body.revision !== present.revision)
    report.violate(id, `it has revision ${body.revision}, its slides have ${present.revision}`)
  if (body.slides_done !== present.slides.length)
    report.violate(id, `it has ${present.slides.length} slides, not ${body.slides_done}`)
}

/** Upstream was asked at most once for each edit, and at least once for each that was kept. */
export async function verifyEdits(
  { presenton, query }: Pick<ChaosWorld, 'presenton' | 'query'>,
  scenarios: readonly Scenario[],
  report: Report,
): Promise<void> {
  const total = sumOf(scenarios)
  if (presenton.edits < total.kept || presenton.edits > total.accepted)
    report.violate('edits', `${presenton.edits} were paid, ${JSON.stringify(total)}`)
  for (const client of new Set(scenarios.map((scenario) => scenario.client))) {
    const own = sumOf(scenarios.filter((scenario) => scenario.client === client))
    const { used } = (await client.request('/usage')).body.edits_per_day
    if (used < own.kept || used > own.accepted)
      report.violate('quota', `${used} edits are counted, ${JSON.stringify(own)}`)
  }
  const [left] = await query<{ edits: number; changes: number }>(
    `select (select count(*)::int from gateway.slide_edits) as edits,
       (select count(*)::int from gateway.deck_changes where expires_at > now()) as changes`,
  )
  if (left?.edits || left?.changes) report.violate('leaks', `of slides: ${JSON.stringify(left)}`)
}

function sumOf(scenarios: readonly Scenario[]) {
  const sum = { accepted: 0, kept: 0 }
  for (const { edits } of scenarios) {
    sum.accepted += edits.accepted
    sum.kept += edits.kept
  }
  return sum
}
