// Nothing is made twice: idempotency keys and unfinished twins, over replicas and kills. Callers
// who leave stop waiting, and nothing else.

import { randomUUID } from 'node:crypto'
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import { createClient } from '../client/client.ts'
import { waitFor } from '../sandbox/wait-for.ts'
import { openMcpClient, type Protocol } from './mcp-client.ts'
import { brief } from './user.ts'
import { openWorld, type World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await openWorld({ replicas: 3 })
})
afterEach(() => world.expectNoLeaks())
afterAll(() => world.close())

/** Calls go to the replicas in turn. */
async function open(
  protocol: Protocol = '2026-07-28',
  urls = () => world.gateways.map((g) => g.url),
) {
  const sub = `agent-${randomUUID()}`
  let turn = 0
  const next = () => urls()[turn++ % urls().length] ?? ''
  const token = await world.sign({ sub })
  const mcp = await openMcpClient(next, { token, protocol })
  return { mcp, sub, gateway: createClient({ baseUrl: world.url, token }) }
}

const countDecks = async (sub: string) =>
  (await world.query('select 1 from gateway.presentations where user_id = $1', [sub])).length

test.each(['2025', '2026-07-28'] as const)(
  'with one key (%s), parallel calls at three replicas make one deck',
  async (protocol) => {
    const { mcp, sub } = await open(protocol)
    const args = { ...brief, idempotency_key: 'once' }
    const made = await Promise.all(
      Array.from({ length: 9 }, (_, i) =>
        mcp.get('make_presentation', { ...args, wait_seconds: i % 2 }),
      ),
    )
    const ids = made.map(({ presentation }) => presentation.id)
    expect(new Set(ids).size).toBe(1)
    expect(await countDecks(sub)).toBe(1)
    await mcp.get('get_presentation', { id: ids[0], wait_seconds: 45 })
    const later = await mcp.get('make_presentation', args)
    expect(later).toMatchObject({ presentation: { id: ids[0], status: 'completed' } })
    expect(later.next).toMatch(/^This idempotency_key made this presentation before/)
    expect(await mcp.refusal('make_presentation', { ...args, n_slides: 4 })).toMatchObject({
      code: 'IDEMPOTENCY_KEY_REUSED',
    })
  },
)

test('a key of the API and of another tool are other keys', async () => {
  const { mcp, gateway } = await open()
  const { presentation } = await mcp.get('make_presentation', {
    ...brief,
    idempotency_key: 'k',
    wait_seconds: 45,
  })
  const exported = await mcp.get('export_presentation', {
    id: presentation.id,
    format: 'pdf',
    idempotency_key: 'k',
  })
  expect(exported.presentation).toMatchObject({ id: presentation.id, status: 'running' })
  const { presentations } = gateway
  const posted = await presentations.create(brief, { idempotencyKey: 'k' })
  expect(posted.id).not.toBe(presentation.id)
  await presentations.wait(presentation.id)
  await presentations.wait(posted.id)
})

test('without a key, the unfinished presentation of the same brief is the answer', async () => {
  const { mcp, sub } = await open()
  world.presenton.gates.hold('outlines')
  const made = await Promise.all(
    Array.from({ length: 6 }, () => mcp.get('make_presentation', brief)),
  )
  const ids = made.map(({ presentation }) => presentation.id)
  expect(new Set(ids).size).toBe(1)
  const found = made.filter(({ next }) => next.includes('nothing new was made'))
  expect(found).toHaveLength(5)
  // Defaults that are spelled out make the same brief; another number of slides does not.
  const same = await mcp.get('make_presentation', {
    ...brief,
    language: 'English',
    tone: 'default',
  })
  expect(same.presentation.id).toBe(ids[0])
  const other = await mcp.get('make_presentation', { ...brief, n_slides: 2 })
  expect(other.presentation.id).not.toBe(ids[0])
  const age = (interval: string) =>
    world.query(
      'update gateway.presentations set created_at = now() - $2::interval where id = $1',
      [other.presentation.id, interval],
    )
  const again = () => mcp.get('make_presentation', { ...brief, n_slides: 2 })
  await age('9 minutes 30 seconds')
  expect((await again()).presentation.id).toBe(other.presentation.id)
  await age('10 minutes 1 second')
  const late = (await again()).presentation.id
  expect(late).not.toBe(other.presentation.id)
  world.presenton.gates.releaseAll()
  await mcp.get('get_presentation', { id: late, wait_seconds: 45 })
  await mcp.get('get_presentation', { id: ids[0], wait_seconds: 45 })
  await mcp.get('get_presentation', { id: other.presentation.id, wait_seconds: 45 })
  const afterwards = await mcp.get('make_presentation', { ...brief, wait_seconds: 45 })
  expect(afterwards.presentation.id).not.toBe(ids[0])
  expect(await countDecks(sub)).toBe(4)
})

test('a caller who disconnects stops waiting, and the run goes on', async () => {
  const { mcp, gateway } = await open()
  world.presenton.gates.hold('slides')
  const { presentation } = await mcp.get('make_presentation', brief)
  const { id } = presentation
  const leaving = new AbortController()
  const waiting = mcp.call(
    'get_presentation',
    { id, wait_seconds: 300 },
    { signal: leaving.signal, onprogress: () => leaving.abort(new Error('bored')) },
  )
  await expect(waiting).rejects.toThrow()
  world.presenton.gates.release('slides')
  expect(await gateway.presentations.wait(id)).toMatchObject({ status: 'completed' })
})

test('a call that waits is answered when its replica shuts down', async () => {
  const replica = await world.openReplica({ WORKER: 'false' })
  const { mcp, gateway } = await open('2025', () => [replica.url])
  world.presenton.gates.hold('slides')
  const { presentation } = await mcp.get('make_presentation', brief)
  const { id } = presentation
  const told = vi.fn()
  const waiting = mcp.get('get_presentation', { id, wait_seconds: 300 }, { onprogress: told })
  await world.presenton.gates.arrived('slides', 1)
  await waitFor(() => expect(told).toHaveBeenCalled())
  await world.closeReplica(replica)
  expect((await waiting).presentation).toMatchObject({ id, status: 'running' })
  world.presenton.gates.release('slides')
  await gateway.presentations.wait(id)
})

test('after kill -9 of the replica that answered, another one goes on', async () => {
  const doomed = await world.spawnReplica()
  const sub = `agent-${randomUUID()}`
  let url = doomed.url
  const token = await world.sign({ sub })
  const mcp = await openMcpClient(() => url, { token, protocol: '2026-07-28' })
  world.presenton.gates.hold('slides')
  const args = { ...brief, idempotency_key: 'survives' }
  const { presentation } = await mcp.get('make_presentation', args)
  await world.presenton.gates.arrived('slides', 1)
  await doomed.kill()
  url = world.url
  world.presenton.gates.releaseAll()
  const repeated = await mcp.get('make_presentation', { ...args, wait_seconds: 45 })
  expect(repeated.presentation).toMatchObject({ id: presentation.id })
  const gateway = createClient({ baseUrl: url, token })
  expect(await gateway.presentations.wait(presentation.id)).toMatchObject({
    status: 'completed',
  })
  expect(await countDecks(sub)).toBe(1)
})
