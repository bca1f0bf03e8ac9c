import { PassThrough } from 'node:stream'
import { afterEach, expect, it, vi } from 'vitest'
import { createBodyBudget } from './body-budget.ts'
import { readBody } from './read-body.ts'

const mib = 1024 * 1024
afterEach(() => void vi.useRealTimers())

function openPayload() {
  const budget = createBodyBudget()
  const payload = new PassThrough()
  const read = () =>
    readBody(payload, {
      contentLength: 8 * mib,
      maxBytes: 8 * mib,
      timeoutMs: 60_000,
      reserve: (bytes) => budget.reserve('alice', bytes),
    })
  /** Resolves when the whole budget of the user is free. */
  const expectBudgetFree = async () => {
    const reservation = budget.reserve('alice', 8 * mib)
    await reservation.granted
    reservation.release()
  }
  return { payload, read, expectBudgetFree }
}

it('reserves no memory for a client that disconnected before the read', async () => {
  const { payload, read, expectBudgetFree } = openPayload()
  payload.destroy()
  await expect(read()).rejects.toMatchObject({ code: 'VALIDATION_FAILED' })
  await expectBudgetFree()
})

it('releases the reservation when the client disconnects without an error', async () => {
  const { payload, read, expectBudgetFree } = openPayload()
  const reading = read()
  payload.write(Buffer.from('{"content":"'))
  payload.destroy()
  await expect(reading).rejects.toMatchObject({ code: 'VALIDATION_FAILED' })
  await expectBudgetFree()
})

it('refuses a body that is not complete after the timeout with 408, and releases it', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  const { payload, read, expectBudgetFree } = openPayload()
  const reading = read()
  payload.write(Buffer.from('{"content":"'))
  vi.advanceTimersByTime(60_000)
  await expect(reading).rejects.toMatchObject({ code: 'REQUEST_TIMEOUT', status: 408 })
  await expectBudgetFree()
})
