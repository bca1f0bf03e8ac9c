// Processes that end otherwise than asked: by a second signal, and by an error that nobody caught.
// Their runs go on elsewhere, by lease.

import { afterEach, expect, test, vi } from 'vitest'
import { readLog } from './event-log-rules.ts'
import { openWorld, type World } from './world.ts'

let world: World
afterEach(() => world.close())

/** A replica with a run in the middle of its slides. */
async function openBusy(more: Record<string, string>) {
  world = await openWorld({ replicas: 0, env: { LEASE_SECONDS: '1' } })
  const busy = await world.spawnReplica(more)
  const user = await world.user()
  world.presenton.gates.hold('slides:slide')
  const { id } = (await user.post(undefined, {}, busy.url)).body
  await world.presenton.gates.arrived('slides:slide')
  return { busy, user, id }
}

async function expectGoneOn({ user, id }: Awaited<ReturnType<typeof openBusy>>) {
  const heir = await world.openReplica()
  world.presenton.gates.release('slides:slide')
  expect(await user.settled(id, heir.url)).toMatchObject({ status: 'completed', run: 1 })
  readLog(await (await user.follow(id, { at: heir.url })).rest())
  await world.expectNothingLeft()
}

test('a second signal ends at once, whatever is being drained', async () => {
  const open = await openBusy({ DRAIN_SECONDS: '60', SHUTDOWN_GRACE_SECONDS: '60' })
  const { busy } = open
  busy.child.kill('SIGTERM')
  await vi.waitFor(() =>
    expect(busy.logs.some((line) => line.includes('"shutting down"'))).toBe(true),
  )
  expect(busy.child.exitCode).toBeNull()
  const askedMs = performance.now()
  busy.child.kill('SIGINT')
  expect(await busy.exited).toEqual({ code: 1, signal: null })
  expect(performance.now() - askedMs).toBeLessThan(1_000)
  await expectGoneOn(open)
})

test.each([
  ['uncaughtException', 'throw new Error("nobody caught this")'],
  ['unhandledRejection', 'Promise.reject(new Error("nobody caught this"))'],
])('an error that nobody caught (%s) is logged and ends the process', async (name, failing) => {
  const failure = `data:text/javascript,${encodeURIComponent(`process.on("SIGUSR2",()=>{${failing}})`)}`
  const open = await openBusy({ NODE_OPTIONS: `--import ${failure}` })
  const { busy } = open
  busy.child.kill('SIGUSR2')
  expect(await busy.exited).toEqual({ code: 1, signal: null })
  const last = busy.logs
    .map((line) => (line.startsWith('{') ? JSON.parse(line) : {}))
    .find(({ level }) => level === 'fatal')
  expect(last).toMatchObject({ msg: name, err: { message: 'nobody caught this' } })
  await expectGoneOn(open)
})
