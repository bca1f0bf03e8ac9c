// Numbers about the real-time connections of this replica, and about the runs of the installation.

import Type, { type Static } from 'typebox'
import { count, time } from '../contract/member-schemas.ts'
import type { Connections } from './connections.ts'
import type { Jobs } from './progress/jobs.ts'

export const statsSchema = Type.Object(
  {
    generation_manager: Type.Object({
      total_connections: count('Since the start of the replica.'),
      active_connections: count(),
      active_users: count(),
      messages_sent: count(),
      errors: count(),
      uptime_seconds: count(),
      active_jobs: count('Presentations that connections follow.'),
      job_subscribers: count('Subscriptions to them.'),
    }),
    notification_manager: Type.Object({
      active_connections: count(),
      channels: count('Channels that have a connection here.'),
      notification_history_size: count('Stored notifications of the installation.'),
    }),
    active_presentations: count('Queued, running or awaiting approval, in the installation.'),
    active_generation_jobs: count('Running, in the installation.'),
    timestamp: time(),
  },
  { title: 'RealtimeStats' },
)
export type RealtimeStats = Static<typeof statsSchema>

export const statsExample: RealtimeStats = {
  generation_manager: {
    total_connections: 41,
    active_connections: 12,
    active_users: 9,
    messages_sent: 5120,
    errors: 0,
    uptime_seconds: 86_400,
    active_jobs: 4,
    job_subscribers: 14,
  },
  notification_manager: { active_connections: 9, channels: 10, notification_history_size: 320 },
  active_presentations: 6,
  active_generation_jobs: 4,
  timestamp: '2026-11-27T09:32:10.000Z',
}

export interface StatsOptions {
  connections: Pick<Connections, 'stats'>
  jobs: Pick<Jobs, 'stats'>
  countChannels: () => number
  countNotifications: () => Promise<number>
  /** Presentations by status. */
  countRuns: () => Promise<Record<string, number>>
}

export function createReadStats(options: StatsOptions) {
  const startedMs = performance.now()

  return async function readStats(): Promise<RealtimeStats> {
    const [runs, history] = await Promise.all([options.countRuns(), options.countNotifications()])
    const { queued = 0, running = 0, awaiting_outlines: awaiting = 0 } = runs
    const generation = options.connections.stats('generation')
    const { jobs, subscriptions } = options.jobs.stats()
    return {
      generation_manager: {
        total_connections: generation.total,
        active_connections: generation.active,
        active_users: generation.users,
        messages_sent: generation.sent,
        errors: generation.errors,
        uptime_seconds: Math.floor((performance.now() - startedMs) / 1000),
        active_jobs: jobs,
        job_subscribers: subscriptions,
      },
      notification_manager: {
        active_connections: options.connections.stats('notifications').active,
        channels: options.countChannels(),
        notification_history_size: history,
      },
      active_presentations: queued + running + awaiting,
      active_generation_jobs: running,
      timestamp: new Date().toISOString(),
    }
  }
}
