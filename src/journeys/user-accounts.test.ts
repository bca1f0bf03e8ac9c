// One account in Presenton for each user: everything that is done for a user goes under it, on
// every replica, and decks of the shared account stay there.

import { createHash } from 'node:crypto'
import { afterEach, expect, test } from 'vitest'
import type { User } from './user.ts'
import { openWorld, type World, type WorldOptions } from './world.ts'

const credentials = { username: 'gateway', password: 'gateway-password' }
const login = { PRESENTON_USERNAME: 'gateway', PRESENTON_PASSWORD: credentials.password }
const perUser = {
  ...login,
  PRESENTON_ACCOUNTS: 'per-user',
  PRESENTON_ACCOUNT_SECRET: 'a secret of at least 32 characters.',
}

let world: World
afterEach(async () => {
  await world.expectNoLeaks()
  await world.close()
})

async function open(options: WorldOptions = {}) {
  world = await openWorld({ shape: 'B1', credentials, loginLimit: null, env: perUser, ...options })
  return world
}

const nameOf = ({ sub }: User) => `u-${createHash('sha256').update(sub).digest('hex').slice(0, 40)}`
const accountOf = (user: User) =>
  world.presenton.users.find(({ username }) => username === nameOf(user))
const deckOf = (id: unknown) => {
  const deck = world.presenton.decks.get(String(id))
  if (!deck) throw new Error('upstream has no such deck')
  return deck
}
async function accountOfRow(id: string) {
  const [row] = await world.query<{ account: string | null }>(
    'select account from gateway.presentations where id = $1',
    [id],
  )
  return row?.account
}

test('runs, exports, slides, edits, images and removals of two users on two replicas', async () => {
  await open({ replicas: 2 })
  const users = [await world.createUser('alice'), await world.createUser('bob')] as const
  const made = await Promise.all(
    users.map(async (user, index) => {
      const baseUrl = world.gateways[index]?.url
      const path = `/app_data/images/image-${index}.png`
      const outlines = ['# One', `# Two\n\n- ${path}`]
      const { id } = (await user.post({ outlines }, {}, baseUrl)).body
      const { status, presenton_presentation_id: deckId } = await user.waitUntilSettled(id)
      return { user, id, status, deckId: String(deckId) }
    }),
  )
  for (const { user, id, status, deckId } of made) {
    expect(status).toBe('completed')
    expect(accountOf(user)).toMatchObject({ role: 'user' })
    expect(deckOf(deckId).owner).toBe(accountOf(user)?.id)
    expect(await accountOfRow(id)).toBe(nameOf(user))
    const path = `/presentations/${id}/slides`
    const slides = await user.api(path)
    expect(slides.body.slides).toHaveLength(2)
    const request = { method: 'POST', body: { after: 1 }, headers: { 'if-match': '"1"' } }
    expect(await user.api(path, request)).toMatchObject({ status: 201 })
    const edited = { method: 'POST', body: { instruction: 'Shorter.' } }
    expect(await user.api(`${path}/0/edit`, edited)).toMatchObject({ status: 202 })
    expect(await user.waitUntilSettled(id)).toMatchObject({ status: 'completed', error: null })
    const exported = { method: 'POST', body: { format: 'pdf' } }
    expect(await user.api(`/presentations/${id}/exports`, exported)).toMatchObject({ status: 202 })
    expect(await user.waitUntilSettled(id)).toMatchObject({ status: 'completed', error: null })
    expect((await user.api('/templates')).status).toBe(200)
  }
  // The administrator signs in, makes accounts, and asks what upstream can do. All else is of
  // users.
  const sessions = new Map<string, Set<string>>()
  for (const { path, headers, status } of world.presenton.journal) {
    if (!path.startsWith('/api/v1/ppt/') && !path.startsWith('/app_data/exports')) continue
    if (path.includes('/template/')) continue
    expect(status).not.toBe(404)
    const kind = path.split('/')[4] ?? ''
    const known = sessions.get(kind) ?? new Set()
    sessions.set(kind, known.add(headers.cookie ?? ''))
  }
  expect(new Set([...sessions.values()].flatMap((cookies) => [...cookies])).size).toBe(2)

  const [alice] = made
  const { deckId = '' } = alice ?? {}
  await users[0].api(`/presentations/${alice?.id}`, { method: 'DELETE' })
  await expect.poll(() => world.presenton.decks.has(deckId), { timeout: 60_000 }).toBe(false)
  await expect
    .poll(() => world.query('select 1 from gateway.decks where deck_id = $1', [deckId]), {
      timeout: 60_000,
    })
    .toEqual([])
})

test('an image is read under the account of its deck', async () => {
  await open()
  const user = await world.createUser('alice')
  const first = await user.generate()
  const own = `/app_data/images/users/${accountOf(user)?.id}/picture.png`
  await user.generate({ outlines: ['# One', `# Two\n\n- ${own}`] })
  const headers = { authorization: `Bearer ${user.token}` }
  expect((await fetch(`${world.url}${own}`, { headers })).status).toBe(200)
  const foreign = '/app_data/images/users/7b0c5b0e-5f0a-4c7e-9a53-6a6f1f0a1b2c/picture.png'
  await user.generate({ outlines: ['# One', `# Two\n\n- ${foreign}`] })
  expect((await fetch(`${world.url}${foreign}`, { headers })).ok).toBe(false)
  expect(first.status).toBe('completed')
})

test('decks made under the shared account stay there', async () => {
  await open({ env: login })
  const user = await world.createUser('alice')
  const shared = await user.generate()
  await world.closeReplicas()
  await world.openReplica(perUser)
  const own = await user.generate()
  expect(await accountOfRow(own.id)).toBe(nameOf(user))
  expect(await accountOfRow(shared.id)).toBeNull()
  for (const { id } of [shared, own]) {
    expect((await user.api(`/presentations/${id}/slides`)).status).toBe(200)
    const exported = { method: 'POST', body: { format: 'pdf' } }
    expect(await user.api(`/presentations/${id}/exports`, exported)).toMatchObject({ status: 202 })
    expect(await user.waitUntilSettled(id)).toMatchObject({ status: 'completed', error: null })
  }
  // Also after a switch back, while the secret is known.
  await world.closeReplicas()
  await world.openReplica({ ...perUser, PRESENTON_ACCOUNTS: 'shared' })
  expect((await user.api(`/presentations/${own.id}/slides`)).status).toBe(200)
  expect(await accountOfRow((await user.generate()).id)).toBeNull()
})

test('without users upstream, runs go under the shared login, and health is degraded', async () => {
  await open({ shape: 'T' })
  const user = await world.createUser('alice')
  const { id, status } = await user.generate()
  expect(status).toBe('completed')
  expect(await accountOfRow(id)).toBeNull()
  const health = await (await fetch(`${world.url}/health`)).json()
  expect(health).toMatchObject({ status: 'degraded' })
  expect(JSON.stringify(health)).toMatch(/PRESENTON_ACCOUNTS.*no accounts for users/)
})

test('a 401 before the first byte burns an attempt, and the stream is never repeated by itself', async () => {
  await open()
  const user = await world.createUser('alice')
  const { gates } = world.presenton
  gates.hold('slides')
  const { id } = await user.submit()
  await gates.arrived('slides')
  world.presenton.faults.inject('slides:401')
  gates.release('slides')
  expect(await user.waitUntilSettled(id)).toMatchObject({ status: 'completed' })
  const [row] = await world.query<{ failures: object }>(
    'select failures from gateway.presentations where id = $1',
    [id],
  )
  expect(row?.failures).toMatchObject({ slides: 1 })
})

test('a login that waits burns no attempt, also when the replica dies in it', async () => {
  await open({ replicas: 0 })
  const user = await world.createUser('alice')
  const first = await world.spawnReplica({ LEASE_SECONDS: '3' })
  const { gates, journal } = world.presenton
  const logins = () => journal.filter(({ operation }) => operation === 'login')
  gates.hold('login')
  // The administrator's login.
  gates.release('login', 1)
  const { id } = (await user.post(undefined, {}, first.url)).body
  await gates.arrived('login', 2)
  await first.kill()
  gates.releaseAll()
  await world.openReplica({ LEASE_SECONDS: '3' })
  expect(await user.waitUntilSettled(id)).toMatchObject({ status: 'completed' })
  const [row] = await world.query<{ failures: object }>(
    'select failures from gateway.presentations where id = $1',
    [id],
  )
  expect(row?.failures).toEqual({})
  expect(logins().length).toBeGreaterThan(2)
})
