// The end of a chaos test, when everything works again: checks every promise of the gateway.

import { createHash } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { openReader } from '../../sandbox/reader.ts'
import {
  checkLog,
  checkOutcome,
  checkReading,
  checkSpend,
  type SeenEvent,
  type Spent,
} from '../history-checks.ts'
import type { Report } from './report.ts'
import type { Scenario } from './scenario.ts'
import { verifyEdits, verifySlides } from './verify-slides.ts'
import type { ChaosWorld } from './world.ts'

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

export async function verify(
  world: ChaosWorld,
  scenarios: readonly Scenario[],
  report: Report,
): Promise<void> {
  for (const scenario of scenarios)
    if (!scenario.isDeleted) {
      await verifyPresentation(world, scenario, report)
      await verifySlides(scenario, report)
    }
  for (const { id, isDeleted, received } of scenarios) {
    if (!isDeleted) continue
    for (const reading of await Promise.all(received)) {
      for (const violation of checkReading(reading, reading)) report.violate(id, violation)
    }
  }
  await Promise.all(scenarios.flatMap(({ followed }) => followed))
  await verifyQuotas(scenarios, report)
  await verifyEdits(world, scenarios, report)
  await verifyNoLeaks(world, report)
  verifyObjectKeys(world, report)
}

async function verifyPresentation(
  { urls, presenton, query }: ChaosWorld,
  { id, client, received }: Scenario,
  report: Report,
) {
  const [url = ''] = urls()
  const reader = await openReader(`${url}/api/v1/presentations/${id}/events`, {
    token: client.token,
  })
  const log: SeenEvent[] = reader.status === 200 ? await reader.rest() : []
  const { body } = await client.request(`/presentations/${id}`)
  const deckRows = await query<{ deck_id: string }>(
    'select deck_id from gateway.decks where presentation_id = $1',
    [id],
  )
  const spent: Spent = { outlines: 0, prepares: 0, slideStreams: 0, exports: 0 }
  for (const { deck_id: deckId } of deckRows) {
    for (const [kind, times] of Object.entries(presenton.spendOf(deckId)))
      spent[kind as keyof Spent] += times
  }
  const exports = presenton.decks.get(body.presenton_presentation_id)?.exports ?? []
  const violations = [
    ...checkLog(log, { isEnded: true }),
    ...checkOutcome(body, log, {
      fetched: await fetchFile(client, id, body.files),
      exported: exports.map(({ sha256 }) => sha256),
    }),
    ...checkSpend(log, spent),
  ]
  for (const [index, reading] of (await Promise.all(received)).entries()) {
    violations.push(
      ...checkReading(reading, log).map((violation) => `subscriber ${index}: ${violation}`),
    )
    const last = reading.findLast((event) => event.id !== undefined)?.id
    if (last !== log.at(-1)?.id)
      violations.push(
        `subscriber ${index} stopped at event ${last}, the log ends at ${log.at(-1)?.id}`,
      )
  }
  report.count(`ended ${body.status}`)
  report.count('events', log.length)
  for (const violation of violations) report.violate(id, violation)
}

async function fetchFile(
  client: Scenario['client'],
  id: string,
  files: readonly { format: string }[],
) {
  const [file] = files
  if (!file) return undefined
  const { body } = await client.request(`/presentations/${id}`)
  const link = await fetch(
    new URL(`/api/v1/presentations/${id}/download?format=${file.format}`, body.links.self),
    {
      headers: { authorization: `Bearer ${client.token}`, accept: 'application/json' },
    },
  )
  if (link.status !== 200) return undefined
  const response = await fetch(((await link.json()) as { url: string }).url)
  if (!response.ok) return undefined
  const bytes = new Uint8Array(await response.arrayBuffer())
  return { sha256: sha256(bytes), bytes: bytes.length }
}

/**
 * Compares the usage with the states of the presentations. Retried, cancelled and failed ones may
 * or may not count, so this checks a range.
 */
async function verifyQuotas(scenarios: readonly Scenario[], report: Report) {
  for (const client of new Set(scenarios.map((scenario) => scenario.client))) {
    let min = 0
    let max = 0
    for (const scenario of scenarios) {
      if (scenario.client !== client || scenario.isDeleted) continue
      const { body } = await client.request(`/presentations/${scenario.id}`)
      const counts =
        body.status === 'completed' || (body.status === 'failed' && body.slides_done > 0)
      const mayCount = scenario.isRetried || body.status === 'cancelled' || body.status === 'failed'
      if (counts) min += 1
      if (counts || mayCount) max += 1
    }
    const { body: usage } = await client.request('/usage')
    if (usage.total.used < min || usage.total.used > max) {
      report.violate('quota', `usage is ${usage.total.used}, expected ${min} to ${max}`)
    }
  }
}

async function verifyNoLeaks({ query, opsUrls, presenton }: ChaosWorld, report: Report) {
  for (let attempt = 1; ; attempt += 1) {
    const [rows] = await query<{ leases: string; running: string }>(
      `select count(*) filter (where l.token is not null) as leases, count(*) filter (where p.status in ('queued', 'running')) as running
       from gateway.leases l join gateway.presentations p on p.id = l.presentation_id`,
    )
    const metrics = await Promise.all(
      opsUrls().map(async (url) => (await fetch(`${url}/metrics`)).text()),
    )
    const sumOf = (name: string) => {
      const samples = new RegExp(`^${name}(?:\\{[^}]*\\})? (\\d+)`, 'gm')
      const values = metrics.flatMap((text) => [...text.matchAll(samples)])
      return values.reduce((sum, [, value]) => sum + Number(value), 0)
    }
    const open = {
      leases: Number(rows?.leases),
      running: Number(rows?.running),
      streams: sumOf('gateway_open_streams'),
      webSockets: sumOf('gateway_websockets'),
      upstream: presenton.openRequests,
    }
    if (Object.values(open).every((n) => n === 0)) return
    if (attempt === 100) return report.violate('leaks', JSON.stringify(open))
    await delay(100)
  }
}

/** Checks that no object key was written twice. */
function verifyObjectKeys({ objects }: ChaosWorld, report: Report) {
  const puts = objects.requests.filter(
    ({ method, status, path }) =>
      method === 'PUT' && status === 200 && path.includes('/presentations/'),
  )
  const paths = puts.map(({ path, query }) => `${path}?${query.get('partNumber') ?? ''}`)
  for (const path of new Set(paths)) {
    if (paths.indexOf(path) !== paths.lastIndexOf(path))
      report.violate('store', `${path} was written twice`)
  }
  report.count('uploads', puts.length)
}
