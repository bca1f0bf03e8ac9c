// What breaks while documents are uploaded, or on their way to Presenton: a killed replica, a store
// that is away, a client that asks before it sends.

import { once } from 'node:events'
import { connect } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { waitFor } from '../sandbox/wait-for.ts'
import { upload } from './uploads.ts'
import type { User } from './user.ts'
import { openWorld, type World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await openWorld()
})
afterAll(() => world.close())

const notes = { name: 'notes.txt', content: 'The ferry runs until May.' }

async function openRequest(user: User, url: string, head: string[]) {
  const { port, host } = new URL(url)
  const socket = connect(Number(port), '127.0.0.1').on('error', () => undefined)
  await once(socket, 'connect')
  const lines = ['POST /api/v1/sources HTTP/1.1', `Host: ${host}`, ...head]
  lines.push(`Authorization: Bearer ${user.token}`)
  lines.push('Content-Type: multipart/form-data; boundary=b')
  socket.write(`${lines.join('\r\n')}\r\n\r\n`)
  return socket
}

const opening = '--b\r\nContent-Disposition: form-data; name="files"; filename="a.txt"\r\n\r\n'
const closing = '\r\n--b--\r\n'

test('kill -9 in the middle of an upload leaves no row, and its object goes', async () => {
  const user = await world.createUser()
  const doomed = await world.spawnReplica()
  const socket = await openRequest(user, doomed.url, ['Content-Length: 20000000'])
  socket.write(`${opening}${'large '.repeat(1024 * 1024)}`)
  const keys = () =>
    world.query<{ key: string }>(
      'select object_key as key from gateway.uploads where object_key like $1',
      [`sources/${user.sub}/%`],
    )
  await waitFor(async () => expect(await keys()).toHaveLength(1), { timeout: 60_000 })
  await doomed.kill()
  socket.destroy()
  expect((await user.api('/sources')).body.items).toEqual([])
  // No client can still be writing it after two hours: that time is over now.
  await world.query(
    "update gateway.uploads set remove_after = now() - interval '1 s' where object_key like $1",
    [`sources/${user.sub}/%`],
  )
  const other = await upload(user, world.url, [notes])
  expect(other.status).toBe(201)
  await user.api(`/sources/${other.body.items[0].id}`, { method: 'DELETE' })
  await waitFor(async () => expect(await keys()).toEqual([]), { timeout: 60_000 })
  expect((await user.api('/usage')).body.sources).toMatchObject({ used: 0 })
}, 180_000)

test('a run whose documents cannot be read waits for the store, and is paid once', async () => {
  const user = await world.createUser()
  const { body } = await upload(user, world.url, [notes])
  world.presenton.gates.hold('upload')
  await world.objects.down()
  const { id } = await user.submit({ sources: [body.items[0].id], n_slides: 3 })
  const reader = await user.subscribe(id)
  await waitFor(
    async () =>
      expect((await user.api(`/presentations/${id}`)).body).toMatchObject({
        status: 'running',
        stage: 'create',
      }),
    { timeout: 60_000 },
  )
  await reader.until('status', 60_000)
  expect(world.presenton.journal.filter(({ operation }) => operation === 'create')).toEqual([])
  world.presenton.gates.releaseAll()
  await world.objects.up()
  expect(await user.waitUntilSettled(id)).toMatchObject({ status: 'completed', error: null })
  const [deck] = [...world.presenton.decks.values()]
  expect(JSON.stringify(deck?.outlines)).toContain('ferry')
  expect(world.presenton.spend).toMatchObject({ outlines: 1, slideStreams: 1 })
}, 180_000)

test('a client that asks before it sends gets 100 Continue, or the refusal', async () => {
  const user = await world.createUser()
  const body = `${opening}The ferry runs.${closing}`
  const expects = ['Expect: 100-continue', `Content-Length: ${body.length}`, 'Connection: close']
  const answer = async (asking: User) => {
    const socket = await openRequest(asking, world.url, expects)
    let received = ''
    socket.on('data', (chunk: Buffer) => {
      received += chunk.toString('latin1')
      if (received === 'HTTP/1.1 100 Continue\r\n\r\n') socket.write(body)
    })
    await once(socket, 'close')
    return received
  }
  expect(await answer(user)).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 201 /)
  expect(await answer({ ...user, token: 'forged' })).toMatch(/^HTTP\/1\.1 401 /)
  expect((await user.api('/sources')).body.items).toHaveLength(1)
})
