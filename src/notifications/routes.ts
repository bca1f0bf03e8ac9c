// The routes of notifications, by the kind of scope that they need.

import type { App } from '../http/base.ts'
import {
  type FollowNotifications,
  followNotificationsRoute,
  streamNotificationsRoute,
} from './routes/follow-notifications.ts'
import { type NotificationRoutes, notificationRoutes } from './routes/notifications.ts'

export interface NotificationServices extends FollowNotifications, NotificationRoutes {}

/** For a scope that requires a caller. */
export function userNotificationRoutes(scope: App, services: NotificationServices): void {
  notificationRoutes(scope, services)
  streamNotificationsRoute(scope, services)
}

/** For a scope that accepts upgrades and requires a caller. */
export function notificationWebSocketRoutes(scope: App, services: NotificationServices): void {
  followNotificationsRoute(scope, services)
}
