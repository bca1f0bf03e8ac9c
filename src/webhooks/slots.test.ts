import { expect, it } from 'vitest'
import { createSlots, type Flight } from './slots.ts'

/** `startedMs` names the flight. */
function flight(startedMs: number, { isSlow = false, responseMs = null as number | null } = {}) {
  return {
    delivery: { token: `${startedMs}`, responseMs },
    ...{ startedMs, isSlow, abandon: new AbortController(), done: Promise.resolve() },
  } as unknown as Flight
}
const startsOf = (flights: Flight[]) => flights.map(({ startedMs }) => startedMs)

it('has 50 slots, of which 20 may be slow', () => {
  const slots = createSlots()
  expect(slots.free()).toEqual({ fast: 50, slow: 20 })
  for (let n = 0; n < 20; n += 1) slots.add(flight(n, { isSlow: true }))
  expect(slots.free()).toEqual({ fast: 30, slow: 0 })
  for (let n = 20; n < 50; n += 1) slots.add(flight(n))
  expect([slots.isFull(), slots.free()]).toEqual([true, { fast: 0, slow: 0 }])
  slots.remove(slots.all()[0] as Flight)
  expect([slots.isFull(), slots.free()]).toEqual([false, { fast: 1, slow: 1 }])
})

it('makes room while an attempt takes long: first it moves to the slow lane, then it ends', () => {
  const slots = createSlots({ now: () => 10_000 })
  for (let n = 0; n < 18; n += 1) slots.add(flight(n, { isSlow: true }))
  // Its receiver usually takes 4 s, so 5 s are granted; the newest has been under way for 500 ms.
  const patient = flight(5_500, { responseMs: 4_000 })
  for (const one of [flight(9_000), flight(8_000), flight(9_400), patient, flight(9_500)])
    slots.add(one)
  const { stay, end } = slots.makeRoom(5)
  expect([startsOf(stay), startsOf(end)]).toEqual([[8_000, 9_000], [9_400]])
  expect(slots.makeRoom(0).end).toEqual([])
})
