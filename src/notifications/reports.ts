// What is reported to the owner of a run. The statements join the transaction of the change, so a
// crash neither loses nor doubles a notification.

import { channelOfUser, type NotificationType } from '../contract/notification.ts'
import type { DisabledReason } from '../contract/webhook.ts'
import type { Channels } from '../database/channels.ts'
import type { Queryable } from '../database/connection.ts'
import type { EndingRun, RunEnd } from '../database/end-run.ts'
import type { ExtraStatement } from '../database/run-write.ts'
import { publishChange } from './publish-change.ts'
import { deleteNotificationsOf } from './statements/change.ts'
import { countUnread } from './statements/list.ts'
import { notifyOwner, notifyUser, type PresentationNotice } from './statements/write.ts'

export interface NotificationReportsOptions {
  channels: Pick<Channels, 'publish'>
  /** A notification was written. */
  onWritten: (type: NotificationType) => void
}

const ready: PresentationNotice = {
  notificationType: 'success',
  priority: 'normal',
  category: 'generation',
  title: 'Presentation ready',
  message: '{name} is ready: {slides}.',
}

const failures: Record<EndingRun['runKind'], Pick<PresentationNotice, 'title' | 'message'>> = {
  deck: { title: 'Presentation failed', message: '{name} could not be finished.' },
  export: { title: 'Export failed', message: '{name} could not be exported.' },
  edit: { title: 'Edit failed', message: '{name} could not be edited.' },
  regenerate: { title: 'Regeneration failed', message: '{name} could not be made again.' },
}

const awaitingApproval: PresentationNotice = {
  notificationType: 'info',
  priority: 'high',
  category: 'review',
  title: 'Outlines await your approval',
  message: 'The outlines of {name} are ready for your approval.',
}

const disabledWebhook = {
  notificationType: 'warning',
  priority: 'high',
  category: 'webhooks',
  title: 'Webhook disabled',
} as const

export interface DisabledWebhook {
  id: string
  userId: string
  host: string
  reason: DisabledReason
}

export function createNotificationReports({ channels, onWritten }: NotificationReportsOptions) {
  const onCommitted = (userId: string, notice: PresentationNotice) => () => {
    channels.publish('notification', { id: channelOfUser(userId) })
    onWritten(notice.notificationType)
  }

  function report(userId: string, notice: PresentationNotice): ExtraStatement[] {
    return [{ ...notifyOwner(notice), onCommitted: onCommitted(userId, notice) }]
  }

  return {
    /** A cancelled run is not reported, and neither is a successful export or edit. */
    reportRunEnd({ userId, runKind }: EndingRun, end: RunEnd): ExtraStatement[] {
      if (end.outcome === 'cancelled') return []
      if (end.outcome === 'completed') {
        const isReady = runKind === 'deck' || runKind === 'regenerate'
        return isReady ? report(userId, ready) : []
      }
      const { title, message } = failures[runKind]
      const { code, detail } = end.problem
      return report(userId, {
        notificationType: 'error',
        priority: 'high',
        category: 'generation',
        title,
        message,
        detail,
        data: { code },
      })
    },

    /** The statement takes the id of the user. */
    reportDisabledWebhook({ id, userId, host, reason }: DisabledWebhook): ExtraStatement {
      const cause = reason === 'gone' ? 'It responded with 410.' : 'Too many deliveries failed.'
      const notice: PresentationNotice = {
        ...disabledWebhook,
        message: `The webhook to ${host} was disabled. ${cause}`,
        data: { webhook_id: id, disabled_reason: reason },
      }
      return { ...notifyUser(notice), onCommitted: onCommitted(userId, notice) }
    },

    /** Removes the notifications of a presentation. Afterwards open connections learn of it. */
    async reportRemoval(client: Queryable, { userId, id }: { userId: string; id: string }) {
      const removed = await deleteNotificationsOf(client, id)
      const unread = removed.length === 0 ? 0 : await countUnread(client, userId)
      return () => {
        for (const notificationId of removed)
          publishChange(channels, { userId, change: 'deleted', notificationId, unread })
      }
    },

    reportReview({ userId }: { userId: string }, expiresAt: Date): ExtraStatement[] {
      const data = { expires_at: expiresAt.toISOString() }
      return report(userId, { ...awaitingApproval, data })
    },
  }
}
