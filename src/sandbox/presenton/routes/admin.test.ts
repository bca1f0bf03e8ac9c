import { expect, it, onTestFinished } from 'vitest'
import { openStandIn, type StandInOptions } from '../stand-in.ts'
import { createTestClient, finishDeck } from '../test-client.ts'

const credentials = { username: 'admin', password: 'correct horse' }
const usersPath = '/api/v1/admin/users'

async function open(options: StandInOptions = {}) {
  const presenton = await openStandIn({ shape: 'B1', credentials, loginLimit: null, ...options })
  onTestFinished(() => presenton.close())
  const as = (headers: Record<string, string>) => createTestClient(presenton, headers)
  async function logIn(username: string, password: string) {
    const response = await as({}).send('POST', '/api/v1/auth/login', { username, password })
    const cookie = response.headers.get('set-cookie')?.split(';')[0] ?? ''
    return { ...response, cookie, client: as({ cookie }) }
  }
  const { client: admin } = await logIn(credentials.username, credentials.password)
  const addUser = async (username: string, password = `${username} secret`) =>
    JSON.parse((await admin.send('POST', usersPath, { username, password })).text)
  return { presenton, as, logIn, admin, addUser }
}

it('lets the admin make, list, change and remove users', async () => {
  const { admin, addUser, logIn } = await open()
  const alice = await addUser('alice')
  expect(alice).toMatchObject({ username: 'alice', role: 'user' })
  expect(JSON.parse((await admin.send('GET', usersPath)).text)).toMatchObject([
    alice,
    { username: 'admin', role: 'admin' },
  ])
  const session = await logIn('ALICE', 'alice secret')
  expect(JSON.parse(session.text)).toMatchObject({ id: alice.id, role: 'user' })
  expect((await logIn('alice', 'another one')).status).toBe(401)
  const changed = await admin.send('PUT', `${usersPath}/${alice.id}/password`, {
    password: 'another one',
  })
  expect(JSON.parse(changed.text)).toEqual(alice)
  expect((await session.client.send('GET', 'presentation/all')).status).toBe(401)
  expect((await logIn('alice', 'another one')).status).toBe(200)
  expect((await admin.send('DELETE', `${usersPath}/${alice.id}`)).status).toBe(204)
  expect((await logIn('alice', 'another one')).status).toBe(401)
  expect((await admin.send('DELETE', `${usersPath}/${alice.id}`)).status).toBe(404)
})

it('refuses names that exist, short values, keys, users and changes of the admin', async () => {
  const apiKey = 'sk-presenton-0123456789'
  const { admin, addUser, logIn, as } = await open({ apiKeys: [apiKey] })
  await addUser('alice')
  const status = async (client: typeof admin, method: string, path = usersPath, body?: unknown) =>
    (await client.send(method, path, body)).status
  const again = { username: 'Alice', password: 'long enough' }
  expect(await status(admin, 'POST', usersPath, again)).toBe(409)
  expect(await status(admin, 'POST', usersPath, { username: 'al', password: 'short' })).toBe(422)
  expect(await status(as({ authorization: `Bearer ${apiKey}` }), 'GET')).toBe(403)
  const { client } = await logIn('alice', 'alice secret')
  expect(await status(client, 'GET')).toBe(403)
  expect(await status(client, 'POST', '/api/v1/auth/token/create')).toBe(403)
  expect(await status(as({}), 'GET')).toBe(401)
  const [own] = JSON.parse((await admin.send('GET', usersPath)).text).slice(-1)
  expect(await status(admin, 'DELETE', `${usersPath}/${own.id}`)).toBe(403)
})

it('hides the decks, files and uploads of a user from all others', async () => {
  const { presenton, admin, addUser, logIn } = await open()
  await addUser('alice')
  await addUser('bob')
  const { client: alice } = await logIn('alice', 'alice secret')
  const { client: second } = await logIn('alice', 'alice secret')
  const { client: bob } = await logIn('bob', 'bob secret')
  const id = await finishDeck(alice)
  const { path } = JSON.parse((await alice.export(id)).text)
  expect(path).toContain(
    `/users/${presenton.users.find(({ username }) => username === 'alice')?.id}/`,
  )
  const shown = JSON.parse((await second.send('GET', `presentation/${id}`)).text)
  expect(shown.slides).toHaveLength(3)
  expect((await second.file(path)).status).toBe(200)
  for (const other of [bob, admin]) {
    expect((await other.send('GET', `presentation/${id}`)).status).toBe(404)
    expect((await other.send('GET', `outlines/stream/${id}`)).status).toBe(404)
    expect((await other.send('DELETE', `presentation/${id}`)).status).toBe(404)
    expect((await other.export(id)).status).toBe(404)
    expect(JSON.parse((await other.send('GET', 'presentation/all')).text)).toEqual([])
    expect((await other.file(path)).status).toBe(403)
    const [slide] = shown.slides
    expect((await other.send('PATCH', 'presentation/slide_update', { slide })).status).toBe(404)
  }
  expect(JSON.parse((await alice.send('GET', 'presentation/all')).text)).toHaveLength(1)
})

it('limits requests to the login as nginx does, with any method', async () => {
  const { as } = await open({ loginLimit: { perMinute: 1, burst: 5 } })
  const statuses: number[] = []
  for (let request = 0; request < 7; request += 1)
    statuses.push((await as({}).send('GET', '/api/v1/auth/login')).status)
  // The admin's own login was the first.
  expect(statuses.map((status) => status === 429)).toEqual([
    ...[false, false, false, false, false],
    ...[true, true],
  ])
})
