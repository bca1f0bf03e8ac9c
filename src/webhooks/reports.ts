// The outbox: what happens to a presentation becomes a delivery for each webhook that wants it, in
// the transaction of the change. A crash neither loses nor doubles one.

import type { Presentation } from '../contract/presentation.ts'
import type { WebhookEvent } from '../contract/webhook.ts'
import type { Channels } from '../database/channels.ts'
import type { Queryable } from '../database/connection.ts'
import type { EndingRun, RunEnd } from '../database/end-run.ts'
import type { ExtraWork } from '../database/run-write.ts'
import { encodeEvent } from './messages.ts'
import { insertDeliveries } from './statements/deliveries.ts'
import { lockWanting } from './statements/webhooks.ts'

export interface WebhookReportsOptions {
  channels: Pick<Channels, 'publish'>
  /** The presentation as the API gives it, with what the transaction has written. */
  describe: (client: Queryable, id: string) => Promise<Presentation>
}

interface Owned {
  id: string
  userId: string
}

export function createWebhookReports({ channels, describe }: WebhookReportsOptions) {
  /** Returns how many deliveries were written. */
  async function write(
    client: Queryable,
    { id, userId }: Owned,
    event: WebhookEvent,
  ): Promise<number> {
    const wanted = await lockWanting(client, userId, event)
    const [first] = wanted
    if (!first) return 0
    const body = encodeEvent(event, first.now, await describe(client, id))
    const webhookIds = wanted.map((webhook) => webhook.id)
    return (await insertDeliveries(client, webhookIds, { event, body })).length
  }

  function report(userId: string, event: WebhookEvent): ExtraWork[] {
    let written = 0
    return [
      {
        async work(client, id) {
          written = await write(client, { id, userId }, event)
        },
        onCommitted: () => {
          if (written > 0) channels.publish('webhook', {})
        },
      },
    ]
  }

  return {
    reportRunEnd({ userId, runKind }: Pick<EndingRun, 'userId' | 'runKind'>, end: RunEnd) {
      const event = eventOf(runKind, end.outcome)
      return event ? report(userId, event) : []
    },

    reportReview: ({ userId }: Pick<Owned, 'userId'>, _expiresAt?: Date) =>
      report(userId, 'presentation.awaiting_outlines'),

    /** Before the row is deleted. Returns what to do after the commit. */
    async reportRemoval(client: Queryable, own: Owned): Promise<() => void> {
      const written = await write(client, own, 'presentation.deleted')
      return () => {
        if (written > 0) channels.publish('webhook', {})
      }
    },
  }
}

/** A further run that fails or is cancelled leaves the presentation completed: nothing is sent. */
function eventOf(
  runKind: EndingRun['runKind'],
  outcome: RunEnd['outcome'],
): WebhookEvent | undefined {
  if (runKind === 'deck') return `presentation.${outcome}`
  if (outcome !== 'completed') return undefined
  if (runKind === 'regenerate') return 'presentation.completed'
  return runKind === 'export' ? 'presentation.exported' : 'presentation.edited'
}
