// The real-time routes of generations, and the paths that are WebSockets.

import type { App } from '../http/base.ts'
import {
  type FollowGeneration,
  followGenerationRoute,
  streamGenerationRoute,
} from './routes/follow-generation.ts'
import {
  type IssueRealtimeTicket,
  issueRealtimeTicketRoute,
} from './routes/issue-realtime-ticket.ts'
import { type ReadStats, readStatsRoute } from './routes/read-stats.ts'

export interface RealtimeRoutes extends FollowGeneration, IssueRealtimeTicket, ReadStats {}

/** Below the API's prefix. */
const webSocketPath = /^\/realtime\/(?:generation\/[^/]+|notifications)$/

export function createIsWebSocketPath(prefix: string): (path: string) => boolean {
  return (path) => path.startsWith(prefix) && webSocketPath.test(path.slice(prefix.length))
}

/** For a scope that accepts upgrades and requires a caller. */
export function realtimeWebSocketRoutes(scope: App, routes: RealtimeRoutes): void {
  followGenerationRoute(scope, routes)
}

/** For a scope that requires a caller. */
export function realtimeRoutes(
  scope: App,
  routes: RealtimeRoutes,
  { hasPublicStats }: { hasPublicStats: boolean },
): void {
  if (hasPublicStats) readStatsRoute(scope, routes)
  streamGenerationRoute(scope, routes)
  issueRealtimeTicketRoute(scope, routes)
}
