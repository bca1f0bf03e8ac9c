// What one notification connection gets, and in which order, for clients that are early or slow.

import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { createMessageQueue } from '../realtime/message-queue.ts'
import { openNotificationSession } from './session.ts'
import type { NewsRequest, NotificationRow, StreamStart } from './statements/read.ts'
import { createNotificationView } from './view.ts'

const own = 'user_alice'

function createRow(channel: string, seq: number): NotificationRow {
  return {
    id: randomUUID(),
    channel,
    seq,
    notificationType: 'info',
    title: `${channel} ${seq}`,
    message: '',
    data: {},
    priority: 'normal',
    category: 'system',
    actionUrl: null,
    actionText: null,
    read: false,
    presentationId: null,
    hasMaker: false,
    createdAt: new Date(Date.UTC(2026, 10, 27, 12, 0, seq)),
  }
}

function openSession({ rows = [] as NotificationRow[], isReady = true, cursor = undefined } = {}) {
  const sent: { type: string; title?: string; request_id?: string }[] = []
  const state = { isReady }
  const unexpected = () => {
    throw new Error('must not be called')
  }
  const last = (channel: string) =>
    Math.max(0, ...rows.filter((row) => row.channel === channel).map(({ seq }) => seq))
  const heads = { own: last(own), general: last('general') }
  const start: StreamStart = {
    unread: rows.length,
    heads,
    pruned: { own: 0, general: 0 },
    newestUnread: [...rows],
  }
  const session = openNotificationSession({
    connection: {
      id: 'c',
      userId: 'alice',
      send: (message) => void sent.push(JSON.parse(message.toString())),
      isReady: () => state.isReady,
      isOpen: () => true,
      close: unexpected,
      tick: unexpected,
    },
    feed: {
      read: async (request: NewsRequest) => ({
        unread: rows.length,
        heads,
        own: rows.filter(({ channel, seq }) => channel === own && seq > request.own),
        general: rows.filter(({ channel, seq }) => channel !== own && seq > request.general),
      }),
      readStart: unexpected,
      onTrouble: unexpected,
      poll: unexpected,
      add: () => undefined,
      remove: () => undefined,
      countChannels: () => 0,
      close: unexpected,
    },
    commands: { markRead: unexpected, markReadUpTo: unexpected },
    jobs: { find: unexpected, watch: unexpected, unwatch: unexpected },
    view: createNotificationView(() => null),
    start,
    cursor,
  })
  const queue = createMessageQueue({ handle: session.onMessage, onFailure: unexpected })
  const ask = (type: 'subscribe_channel' | 'unsubscribe_channel', channel: string) =>
    queue.add({ type, requestId: 'r', members: { channel } })
  return { sent, state, session, start, ask }
}

test('sends connected at once, so that no response comes before it', async () => {
  const { sent, ask } = openSession()
  expect(sent.map(({ type }) => type)).toEqual(['connected'])
  ask('unsubscribe_channel', 'general')
  await expect
    .poll(() => sent.map(({ type }) => type))
    .toEqual(['connected', 'channel_unsubscribed'])
})

test('sends no unread notification of the start once its channel is off', async () => {
  const rows = [createRow(own, 1), createRow('general', 2), createRow(own, 3), createRow(own, 4)]
  const { sent, state, session, ask } = openSession({ rows, isReady: false })
  const titles = () => sent.flatMap(({ title }) => title ?? [])
  ask('unsubscribe_channel', own)
  await expect
    .poll(() => sent.map(({ type }) => type))
    .toEqual(['connected', 'channel_unsubscribed'])
  state.isReady = true
  session.onReady()
  await expect.poll(titles).toEqual(['general 2'])
  // Switched on again: what it had counts as delivered.
  ask('subscribe_channel', own)
  await expect.poll(() => sent.at(-1)?.type).toBe('channel_subscribed')
  rows.push(createRow(own, 5))
  session.onReady()
  await expect.poll(titles).toEqual(['general 2', `${own} 5`])
})

test('keeps none of the unread notifications of the start in memory', () => {
  const { start, sent } = openSession({ rows: [createRow(own, 1)] })
  expect(start.newestUnread).toEqual([])
  expect(sent.map(({ type }) => type)).toEqual(['connected', 'notification'])
})
