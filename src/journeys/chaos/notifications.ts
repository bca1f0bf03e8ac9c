// Listeners for notifications over WebSockets and event streams, and what they must have received
// at the end: each notification and announcement once, in the order of its channel, of no other
// user; and one for each end of a run that deserves it.

import { setTimeout as delay } from 'node:timers/promises'
import type { Client } from './client.ts'
import { keepConnected, type Message } from './keep-connected.ts'
import { keepStreaming } from './keep-streaming.ts'
import type { Random } from './random.ts'
import type { Report } from './report.ts'
import type { Scenario } from './scenario.ts'
import type { ChaosWorld } from './world.ts'

export interface ListenOptions {
  client: Client
  over: 'WebSocket' | 'SSE'
  urls: () => string[]
  random: Random
  report: Report
}

export type Listener = ReturnType<typeof listenForNotifications>

const settleMs = 30_000
const generalChannel = 'general'

export function listenForNotifications({ client, over, urls, random, report }: ListenOptions) {
  const received = new Map<string, Message>()
  const subject = `notifications of ${client.userId} over ${over}`
  let cursor: string | undefined
  let isStopped = false

  function onMessage(message: Message) {
    if (message.type === 'resync') report.violate(subject, 'a cursor was not known')
    if (message.type !== 'notification') return
    if (received.has(message.id)) report.violate(subject, `${message.id} was received twice`)
    if (message.channel !== `user_${client.userId}` && message.channel !== generalChannel)
      report.violate(subject, `received one of ${message.channel}`)
    received.set(message.id, message)
    cursor = message.cursor
    report.count('notifications received')
  }

  const { token } = client
  const common = { token, urls, random, report, subject, onMessage, isDone: () => isStopped }
  const ended =
    over === 'SSE'
      ? keepStreaming({ ...common, path: '/sse/notifications', lastEventId: () => cursor })
      : keepConnected({
          ...common,
          path: () => `/notifications${cursor === undefined ? '' : `?last_event_id=${cursor}`}`,
        })
  return {
    client,
    subject,
    received,
    stop() {
      isStopped = true
      return ended
    },
  }
}

/** To be called when everything works again and no run is left. */
export async function verifyNotifications(
  { query }: Pick<ChaosWorld, 'query'>,
  {
    listeners,
    scenarios,
    announced,
  }: {
    listeners: readonly Listener[]
    scenarios: readonly Scenario[]
    /** The ids of confirmed announcements. */
    announced: readonly string[]
  },
  report: Report,
): Promise<void> {
  const idsOf = async (channel: string) => {
    const sql = 'select id from gateway.notifications where channel = $1 order by seq'
    return (await query<{ id: string }>(sql, [channel])).map(({ id }) => id)
  }
  const general = await idsOf(generalChannel)
  for (const id of announced)
    if (!general.includes(id)) report.violate('announcements', `${id} was confirmed, then lost`)
  const deadlineMs = performance.now() + settleMs
  const owns = await Promise.all(listeners.map(({ client }) => idsOf(`user_${client.userId}`)))
  const isWhole = ({ received }: Listener, n: number) =>
    [...(owns[n] ?? []), ...general].every((id) => received.has(id))
  while (!listeners.every(isWhole) && performance.now() < deadlineMs) await delay(50)
  // Together, since each may be waiting for silence.
  await Promise.all(listeners.map(({ stop }) => stop()))
  for (const [n, { client, subject, received }] of listeners.entries()) {
    const own = owns[n] ?? []
    for (const stored of [own, general]) {
      for (const id of stored) if (!received.has(id)) report.violate(subject, `${id} was lost`)
      const inOrder = [...received.keys()].filter((id) => stored.includes(id))
      if (inOrder.join() !== stored.filter((id) => received.has(id)).join())
        report.violate(subject, 'received in another order')
    }
    const decks = new Set(scenarios.filter((one) => one.client === client).map(({ id }) => id))
    for (const { channel, data } of received.values())
      if (channel !== generalChannel && !decks.has(data.presentation_id))
        report.violate(subject, `is about ${data.presentation_id}, which is another user's`)
  }
  await verifyReports(query, report)
}

/** One for each end that is no cancellation, for each review, and for the first completion. */
async function verifyReports(query: ChaosWorld['query'], report: Report) {
  const wrong = await query<{ id: string; type: string; told: number; happened: number }>(
    `with happened as (
       select presentation_id as id, 'error' as type, count(*)::int as n from gateway.events
       where kind = 'error' and terminal and data::json ->> 'code' <> 'CANCELLED' group by 1
       union all
       select presentation_id, 'success', 1 from gateway.events
       where kind = 'complete' and terminal group by 1
       union all
       select presentation_id, 'info', count(*)::int from gateway.events
       where kind = 'awaiting_outlines' group by 1
     ), told as (
       select presentation_id as id, notification_type as type, count(*)::int as n
       from gateway.notifications where presentation_id is not null group by 1, 2
     )
     select coalesce(h.id, t.id) as id, coalesce(h.type, t.type) as type,
       coalesce(t.n, 0) as told, coalesce(h.n, 0) as happened
     from happened h full join told t on t.id = h.id and t.type = h.type
     where coalesce(t.n, 0) <> coalesce(h.n, 0)`,
  )
  for (const { id, type, told, happened } of wrong)
    report.violate(id, `${told} notifications of type ${type} for ${happened} occasions`)
  const [row] = await query<{ n: number }>('select count(*)::int as n from gateway.notifications')
  report.count('notifications', row?.n ?? 0)
}
