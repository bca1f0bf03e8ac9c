// The end of the chaos: everything works again, and whatever was promised is looked up.

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
import type { ChaosWorld } from './world.ts'

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

export async function verify(
  world: ChaosWorld,
  lives: readonly Scenario[],
  report: Report,
): Promise<void> {
  for (const life of lives) if (!life.isDeleted) await verifyLife(world, life, report)
  for (const { id, isDeleted, readings } of lives) {
    if (!isDeleted) continue
    for (const reading of await Promise.all(readings)) {
      for (const what of checkReading(reading, reading)) report.violate(id, what)
    }
  }
  await verifyQuotas(lives, report)
  await verifyNothingLeft(world, report)
  verifyKeys(world, report)
}

async function verifyLife(
  { urls, presenton, query }: ChaosWorld,
  { id, client, readings }: Scenario,
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
  const found = [
    ...checkLog(log, { isEnded: true }),
    ...checkOutcome(body, log, {
      fetched: await fetchFile(client, id, body.files),
      exported: exports.map(({ sha256 }) => sha256),
    }),
    ...checkSpend(log, spent),
  ]
  for (const [index, reading] of (await Promise.all(readings)).entries()) {
    found.push(...checkReading(reading, log).map((what) => `reader ${index}: ${what}`))
    const last = reading.findLast((event) => event.id !== undefined)?.id
    if (last !== log.at(-1)?.id)
      found.push(`reader ${index} ends at ${last}, the log at ${log.at(-1)?.id}`)
  }
  report.count(`ended ${body.status}`)
  report.count('events', log.length)
  for (const what of found) report.violate(id, what)
}

async function fetchFile(
  caller: Scenario['client'],
  id: string,
  files: readonly { format: string }[],
) {
  const [file] = files
  if (!file) return undefined
  const { body } = await caller.request(`/presentations/${id}`)
  const link = await fetch(
    new URL(`/api/v1/presentations/${id}/download?format=${file.format}`, body.links.self),
    {
      headers: { authorization: `Bearer ${caller.token}`, accept: 'application/json' },
    },
  )
  if (link.status !== 200) return undefined
  const answer = await fetch(((await link.json()) as { url: string }).url)
  if (!answer.ok) return undefined
  const bytes = new Uint8Array(await answer.arrayBuffer())
  return { sha256: sha256(bytes), bytes: bytes.length }
}

/**
 * What counts, by what the presentations themselves say; of those that were retried only the good
 * end is told by the last run.
 */
async function verifyQuotas(lives: readonly Scenario[], report: Report) {
  for (const caller of new Set(lives.map((life) => life.client))) {
    let least = 0
    let most = 0
    for (const life of lives.filter((one) => one.client === caller && !one.isDeleted)) {
      const { body } = await caller.request(`/presentations/${life.id}`)
      const isKept =
        body.status === 'completed' || (body.status === 'failed' && body.slides_done > 0)
      const isOpen = life.isRetried || body.status === 'cancelled'
      if (isKept) least += 1
      if (isKept || isOpen || body.status === 'failed') most += 1
    }
    const { body: usage } = await caller.request('/usage')
    if (usage.total.used < least || usage.total.used > most) {
      report.violate('quota', `${usage.total.used} presentations count, of ${least} to ${most}`)
    }
  }
}

async function verifyNothingLeft({ query, urls, presenton }: ChaosWorld, report: Report) {
  for (let attempt = 1; ; attempt += 1) {
    const [rows] = await query<{ leases: string; running: string }>(
      `select count(*) filter (where l.token is not null) as leases, count(*) filter (where p.status in ('queued', 'running')) as running
       from gateway.leases l join gateway.presentations p on p.id = l.presentation_id`,
    )
    const metrics = await Promise.all(
      urls().map(async (url) => (await fetch(`${url}/metrics`)).text()),
    )
    const streams = metrics.map((text) =>
      Number(/^gateway_open_streams(?:\{[^}]*\})? (\d+)/m.exec(text)?.[1]),
    )
    const left = {
      leases: Number(rows?.leases),
      running: Number(rows?.running),
      streams: streams.reduce((sum, open) => sum + open, 0),
      upstream: presenton.openRequests,
    }
    if (Object.values(left).every((n) => n === 0)) return
    if (attempt === 100) return report.violate('left over', JSON.stringify(left))
    await delay(100)
  }
}

/** No key was ever written twice, and each is known to the gateway or gone. */
function verifyKeys({ objects }: ChaosWorld, report: Report) {
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
