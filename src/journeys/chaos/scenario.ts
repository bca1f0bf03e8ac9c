// One presentation, from its brief to its last state, as users act on it: subscribed to, approved,
// cancelled, retried, exported again, changed or deleted.

import { setTimeout as delay } from 'node:timers/promises'
import type { SeenEvent } from '../history-checks.ts'
import { createSlideChanges, type Deck } from './change-slides.ts'
import type { Client, ClientResponse } from './client.ts'
import { type EditCount, editSlide } from './edit-slide.ts'
import {
  type FinalState,
  followProgress,
  toFinalState,
  withoutSlideCounts,
} from './follow-progress.ts'
import type { Random } from './random.ts'
import { readEvents } from './read-events.ts'
import type { Report } from './report.ts'

export interface ScenarioOptions {
  client: Client
  urls: () => string[]
  random: Random
  report: Report
  /** WebSockets that follow it. */
  followers: number
  /** When the last disruption was repaired, by `performance.now()`. */
  recoveredAtMs: () => number | undefined
}

/** What `verify` needs to know of a presentation. */
export interface Scenario {
  id: string
  client: Client
  isDeleted: boolean
  /** After a retry the quota depends on more than the latest run. */
  isRetried: boolean
  /** After the last change of its slides; undefined if there was none. */
  deck: Deck | undefined
  edits: EditCount
  /** For each subscriber, the events that it received; resolves after `finish` or a delete. */
  received: Promise<SeenEvent[]>[]
  /** The followers over WebSockets, which compare their last state with the true one. */
  followed: Promise<void>[]
  /** Lets the subscribers end once they have received all events. */
  finish(): void
}

const maxCommands = 6
const content =
  'We looked back at the quarter. Answers got faster, from nine hours to four. Half of all questions were about invoices. ' +
  'We agreed to write better invoices before we hire people. Anna draws a first version by Friday, and Ben asks ten customers.'

/** Resolves when no further command will be sent. */
export async function runScenario({
  client,
  urls,
  random,
  report,
  followers,
  recoveredAtMs,
}: ScenarioOptions): Promise<Scenario> {
  const isReviewed = random.chance(0.2)
  const brief = {
    n_slides: random.between(1, 5),
    export_as: random.pick(['pptx', 'pptx', 'pdf']),
    review_outlines: isReviewed,
    ...(random.chance(0.2)
      ? { outlines: ['First, the numbers.', 'Then, what we agreed.'], n_slides: 2 }
      : { content }),
  }
  const key = `brief-${random.next()}`
  const accepted = await client.request('/presentations', { method: 'POST', body: brief, key })
  if (accepted.status !== 202)
    throw new Error(
      `expected 202 for a brief, not ${accepted.status}: ${JSON.stringify(accepted.body)}`,
    )
  const id = accepted.body.id as string
  const path = `/presentations/${id}`
  const settled = () => waitUntilSettled(client, path)
  report.count('presentations')
  let isOver = false
  let finalState: FinalState | undefined
  const scenario: Scenario = {
    id,
    client,
    isDeleted: false,
    isRetried: false,
    deck: undefined,
    edits: { accepted: 0, kept: 0 },
    received: [],
    followed: [],
    finish: () => (isOver = true),
  }
  for (let subscribers = random.between(1, 3); subscribers > 0; subscribers -= 1) {
    scenario.received.push(
      readEvents({
        id,
        token: client.token,
        urls,
        random: random.fork(),
        report,
        isOver: () => isOver,
      }),
    )
  }

  for (let count = 0; count < followers; count += 1) {
    scenario.followed.push(
      followProgress({
        id,
        token: client.token,
        urls,
        random: random.fork(),
        report,
        recoveredAtMs,
        expected: () => finalState,
        isDeleted: () => isOver,
      }),
    )
  }

  async function send(
    command: string,
    method: string,
    subpath: string,
    body?: unknown,
  ): Promise<ClientResponse> {
    const response = await client.request(`${path}${subpath}`, {
      method,
      body,
      ...(method === 'POST' ? { key: `${command}-${random.next()}` } : {}),
    })
    report.note(`${id} ${command}: ${response.status}`)
    return response
  }

  const changes = createSlideChanges({ client, path, random, report })

  async function changeSlides(): Promise<void> {
    const deck = await changes.read()
    if (random.chance(0.4)) {
      report.count('runs')
      await editSlide(
        { ...{ client, path, random, report }, read: changes.read, waitUntilSettled: settled },
        scenario.edits,
      )
    } else if (random.chance(0.3)) await changes.changeTogether(deck)
    else await changes.changeOnce(deck)
    scenario.deck = await changes.read()
  }

  if (random.chance(0.12)) {
    await delay(random.between(0, 1_500))
    await send('cancel', 'POST', '/cancel')
  }
  if (random.chance(0.06)) {
    await delay(random.between(0, 1_500))
    isOver = true
    await send('delete', 'DELETE', '')
    scenario.isDeleted = true
    return scenario
  }
  for (let commands = 0; commands < maxCommands; commands += 1) {
    const { body } = await settled()
    report.note(`${id} is ${body.status}${body.error ? ` (${body.error.code})` : ''}`)
    if (body.status === 'awaiting_outlines') {
      const approved = random.chance(0.5) ? { outlines: ['Only one.'] } : {}
      await send('approve', 'PUT', '/outlines', approved)
    } else if (body.status !== 'completed' && random.chance(0.6)) {
      scenario.isRetried = true
      const { status } = await send('retry', 'POST', '/retry')
      if (status === 202) report.count('runs')
    } else if (body.status === 'completed' && random.chance(0.15)) {
      const format = random.pick(['pptx', 'pdf'])
      const { status } = await send('export', 'POST', '/exports', { format })
      if (status === 202) report.count('runs')
    } else if (body.status === 'completed' && random.chance(0.35)) await changeSlides()
    else break
  }
  const state = toFinalState((await client.request(path)).body)
  finalState = scenario.deck ? withoutSlideCounts(state) : state
  return scenario
}

/** Waits until the presentation is neither queued nor running. */
async function waitUntilSettled(client: Client, path: string): Promise<ClientResponse> {
  for (;;) {
    const response = await client.request(`${path}?wait=3`)
    if (response.body.status !== 'queued' && response.body.status !== 'running') return response
  }
}
