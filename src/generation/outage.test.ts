// An upstream outage of an hour on a fake clock: several runs use the real client with its circuit
// breaker and the real decisions.

import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { sharedAccount } from '../presenton/account.ts'
import { createPresenton, type Presenton } from '../presenton/client.ts'
import { openStandIn, type StandIn } from '../sandbox/presenton/stand-in.ts'
import { waitFor } from '../sandbox/wait-for.ts'
import { decide } from './attempts.ts'

const call = { account: sharedAccount, signal: new AbortController().signal }
const quiet = { info: () => undefined, warn: () => undefined, debug: () => undefined }
const deck = {
  content: 'One. Two.',
  nSlides: 2,
  language: 'English',
  tone: 'default',
  verbosity: 'standard',
  includeTitleSlide: true,
  includeTableOfContents: false,
  webSearch: false,
}

let upstream: StandIn
let presenton: Presenton
beforeEach(async () => {
  upstream = await openStandIn({ shape: 'B2' })
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] })
  presenton = createPresenton({
    url: upstream.url,
    timeouts: {
      createMs: 30_000,
      prepareMs: 180_000,
      exportMs: 330_000,
      stallMs: 600_000,
      streamMs: 1_800_000,
    },
    breaker: { errorPercent: 50, minCalls: 5, windowMs: 300_000, resetMs: 10_000 },
    logger: quiet,
  })
  await presenton.ping(call)
})
afterEach(async () => {
  vi.useRealTimers()
  await presenton.close()
  await upstream.close()
})

/** `leap` waits until all runs sleep or have finished, then advances to the earliest wake-up. */
function createClock(sleepers: number) {
  const due = new Set<number>()
  return {
    async sleep(ms: number) {
      const at = Date.now() + ms
      due.add(at)
      // The faked timer of the globals; node:timers/promises keeps the real one.
      await new Promise((resolve) => setTimeout(resolve, ms)).finally(() => due.delete(at))
    },
    async leap(finished: () => number) {
      await waitFor(() => expect(due.size).toBe(sleepers - finished()))
      if (due.size > 0) await vi.advanceTimersByTimeAsync(Math.min(...due) - Date.now())
    },
  }
}

it('uses no attempt for an hour, retries rarely, and continues within 15 s after the outage', async () => {
  const runs = 6
  const clock = createClock(runs)
  const finished: number[] = []
  const decisions: string[] = []
  let refused = 0
  const startedMs = Date.now()

  async function run(number: number) {
    for (let waits = 0; ; waits += 1) {
      try {
        await presenton.createDeck({ ...call, brief: deck })
        break
      } catch (error) {
        const decision = decide({ stage: 'create', error, failures: {}, waits })
        decisions.push(decision.next)
        if (presenton.state().breaker === 'open') refused += 1
        if (decision.next !== 'wait') throw error
        expect(decision.waitMs).toBeGreaterThanOrEqual(1_000)
        expect(decision.waitMs).toBeLessThanOrEqual(30_000)
        // The clock needs different wake-up times for different runs.
        await clock.sleep(decision.waitMs + number / 1000)
      }
    }
    finished.push(Date.now())
  }

  await upstream.faults.down()
  const working = Promise.all(Array.from({ length: runs }, (_, number) => run(number)))
  while (Date.now() - startedMs < 3_600_000) await clock.leap(() => finished.length)
  expect(new Set(decisions)).toEqual(new Set(['wait']))
  expect(upstream.decks.size).toBe(0)
  expect(refused).toBeGreaterThan(decisions.length / 2)

  await upstream.faults.up()
  const returnedMs = Date.now()
  while (finished.length < runs) await clock.leap(() => finished.length)
  await working
  expect(Math.max(...finished) - returnedMs).toBeLessThanOrEqual(15_000)
  expect(upstream.decks.size).toBe(runs)
  expect(presenton.state().breaker).toBe('closed')
})
