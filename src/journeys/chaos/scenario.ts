// One presentation from its brief to its last state, as users lead it: followed by some, approved,
// cancelled, retried, exported again, deleted.

import { setTimeout as delay } from 'node:timers/promises'
import type { SeenEvent } from '../history-checks.ts'
import type { Client, ClientResponse } from './client.ts'
import type { Random } from './random.ts'
import { readEvents } from './read-events.ts'
import type { Report } from './report.ts'

export interface ScenarioOptions {
  client: Client
  urls: () => string[]
  random: Random
  report: Report
}

/** What is left of a presentation to be looked at in the end. */
export interface Scenario {
  id: string
  client: Client
  isDeleted: boolean
  /** It was retried: what it counts in the quota depends on more than its last run. */
  isRetried: boolean
  readings: Promise<SeenEvent[]>[]
  /** Nothing more is going to be asked of it. */
  conclude(): void
}

const content =
  'We looked back at the quarter. Answers got faster, from nine hours to four. Half of all questions were about invoices. ' +
  'We agreed to write better invoices before we hire anybody. Anna draws a first version by Friday, and Ben asks ten customers.'

export async function runScenario({
  client,
  urls,
  random,
  report,
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
  const key = `life-${random.next()}`
  const accepted = await client.request('/presentations', { method: 'POST', body: brief, key })
  if (accepted.status !== 202)
    throw new Error(`a brief was answered ${accepted.status}: ${JSON.stringify(accepted.body)}`)
  const id = accepted.body.id as string
  const path = `/presentations/${id}`
  report.count('presentations')
  let isOver = false
  const led: Scenario = {
    id,
    client,
    isDeleted: false,
    isRetried: false,
    readings: [],
    conclude: () => (isOver = true),
  }
  for (let readers = random.between(1, 3); readers > 0; readers -= 1) {
    led.readings.push(
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

  async function change(
    what: string,
    method: string,
    more: string,
    body?: unknown,
  ): Promise<ClientResponse> {
    const answer = await client.request(`${path}${more}`, {
      method,
      body,
      ...(method === 'POST' ? { key: `${what}-${random.next()}` } : {}),
    })
    report.note(`${id} ${what}: ${answer.status}`)
    return answer
  }

  if (random.chance(0.12)) {
    await delay(random.between(0, 1_500))
    await change('cancel', 'POST', '/cancel')
  }
  if (random.chance(0.06)) {
    await delay(random.between(0, 1_500))
    isOver = true
    await change('delete', 'DELETE', '')
    led.isDeleted = true
    return led
  }
  for (let turns = 0; turns < 6; turns += 1) {
    const { body } = await settled(client, path)
    report.note(`${id} is ${body.status}${body.error ? ` (${body.error.code})` : ''}`)
    if (body.status === 'awaiting_outlines')
      await change(
        'approve',
        'PUT',
        '/outlines',
        random.chance(0.5) ? { outlines: ['Only one.'] } : {},
      )
    else if (body.status !== 'completed' && random.chance(0.6)) {
      led.isRetried = true
      if ((await change('retry', 'POST', '/retry')).status === 202) report.count('runs')
    } else if (body.status === 'completed' && random.chance(0.15)) {
      if (
        (await change('export', 'POST', '/exports', { format: random.pick(['pptx', 'pdf']) }))
          .status === 202
      )
        report.count('runs')
    } else break
  }
  return led
}

/** As it is once it is neither queued nor running; `wait` is asked again as often as it takes. */
async function settled(caller: Client, path: string): Promise<ClientResponse> {
  for (;;) {
    const answer = await caller.request(`${path}?wait=3`)
    if (answer.body.status !== 'queued' && answer.body.status !== 'running') return answer
  }
}
