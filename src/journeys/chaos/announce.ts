// An operator who announces something to all users now and then, over any replica. An announcement
// may be stored although its response was lost; one that was confirmed must be.

import { setTimeout as delay } from 'node:timers/promises'
import type { Random } from './random.ts'
import type { Report } from './report.ts'

export interface AnnounceOptions {
  /** Base URLs of the operators' ports of the replicas. */
  opsUrls: () => string[]
  random: Random
  report: Report
  isOver: () => boolean
}

const timeoutMs = 4_000

/** Resolves with the ids of the announcements that were confirmed. */
export async function announce(options: AnnounceOptions): Promise<string[]> {
  const { opsUrls, random, report, isOver } = options
  const confirmed: string[] = []
  for (let n = 1; !isOver(); n += 1) {
    const id = await announceOnce(random.pick(opsUrls()), n)
    if (id !== undefined) {
      confirmed.push(id)
      report.count('announcements')
    }
    await delay(random.between(100, 1_000))
  }
  return confirmed
}

/** Undefined when the request fails or times out. */
async function announceOnce(url: string | undefined, n: number): Promise<string | undefined> {
  try {
    const response = await fetch(`${url}/notifications`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ title: `Announcement ${n}`, message: '.', notification_type: 'info' }),
      signal: AbortSignal.timeout(timeoutMs),
    })
    const body = (await response.json()) as { id: string }
    return response.status === 201 ? body.id : undefined
  } catch {
    return undefined
  }
}
