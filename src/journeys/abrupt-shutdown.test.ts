// Processes that end without draining: after a second signal, and after an uncaught error. Another
// replica takes over their runs once the leases expire.

import { afterEach, expect, test } from 'vitest'
import { waitFor } from '../sandbox/wait-for.ts'
import { readLog } from './event-log-rules.ts'
import { openWorld, type World } from './world.ts'

let world: World
afterEach(() => world.close())

/** Spawns a replica with a run held in the slides stage. */
async function spawnBusyReplica(env: Record<string, string>) {
  world = await openWorld({ replicas: 0, env: { LEASE_SECONDS: '1' } })
  const busy = await world.spawnReplica(env)
  const user = await world.createUser()
  world.presenton.gates.hold('slides:slide')
  const { id } = (await user.post(undefined, {}, busy.url)).body
  await world.presenton.gates.arrived('slides:slide')
  return { busy, user, id }
}

async function expectTakeover({ user, id }: Awaited<ReturnType<typeof spawnBusyReplica>>) {
  const nextReplica = await world.openReplica()
  world.presenton.gates.release('slides:slide')
  expect(await user.waitUntilSettled(id, nextReplica.url)).toMatchObject({
    status: 'completed',
    run: 1,
  })
  readLog(await (await user.subscribe(id, { baseUrl: nextReplica.url })).rest())
  await world.expectNoLeaks()
}

test('a second signal ends the process at once, while it drains', async () => {
  const setup = await spawnBusyReplica({ DRAIN_SECONDS: '60', SHUTDOWN_GRACE_SECONDS: '60' })
  const { busy } = setup
  busy.child.kill('SIGTERM')
  await waitFor(() => expect(busy.logs.some((line) => line.includes('"shutting down"'))).toBe(true))
  expect(busy.child.exitCode).toBeNull()
  const signalledMs = performance.now()
  busy.child.kill('SIGINT')
  expect(await busy.exited).toEqual({ code: 1, signal: null })
  expect(performance.now() - signalledMs).toBeLessThan(30_000)
  await expectTakeover(setup)
})

test.each([
  ['uncaughtException', 'throw new Error("not caught")'],
  ['unhandledRejection', 'Promise.reject(new Error("not caught"))'],
])('an uncaught error (%s) is logged and ends the process', async (name, failing) => {
  const failure = `data:text/javascript,${encodeURIComponent(`process.on("SIGUSR2",()=>{${failing}})`)}`
  const setup = await spawnBusyReplica({ NODE_OPTIONS: `--import ${failure}` })
  const { busy } = setup
  busy.child.kill('SIGUSR2')
  expect(await busy.exited).toEqual({ code: 1, signal: null })
  const fatal = busy.logs
    .map((line) => (line.startsWith('{') ? JSON.parse(line) : {}))
    .find(({ level }) => level === 'fatal')
  expect(fatal).toMatchObject({ msg: name, err: { message: 'not caught' } })
  await expectTakeover(setup)
})
