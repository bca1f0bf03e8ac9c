// What the interface shows of documents before a deck is made from them.

import { Socket } from 'node:net'
import { afterAll, afterEach, beforeAll, expect, onTestFinished, test, vi } from 'vitest'
import { makerCredentials as credentials } from '../../journeys/maker-browser.ts'
import type { User } from '../../journeys/user.ts'
import { asShared, openClient } from '../../presenton/fixtures/upstream.ts'
import { officeOpenXml } from '../../sandbox/documents.ts'
import type { Exchange } from '../exchange.ts'
import { createCalls, messagesOf, openPaidWorld, type PaidWorld } from '../paid/test-world.ts'
import { createReadDocuments, readTimeoutMs } from './read-documents.ts'
import { notes, type SentFile, uploadDocuments, upstreamDuring } from './test-world.ts'

let world: PaidWorld['world']
let database: PaidWorld['database']
let close: PaidWorld['close']
beforeAll(async () => {
  ;({ world, database, close } = await openPaidWorld())
})
afterEach(() => world.expectNoLeaks())
afterAll(() => close())

const { call, read } = createCalls(() => world)

const upload = (user: User, ...files: SentFile[]) => uploadDocuments(call, user, ...files)
const decompose = (user: User, paths: unknown, language: unknown = 'English') =>
  read(user, 'files/decompose', { body: { file_paths: paths, language } })

/** As the interface sends it: without a content type of JSON. */
async function readFile(user: User, filePath: unknown) {
  const response = await call(user, '/api/read-file', {
    ...{ method: 'POST', headers: { 'content-type': 'text/plain;charset=UTF-8' } },
    body: { filePath },
  })
  return { status: response.status, body: (await response.json()) as Record<string, string> }
}

const office = async () => ({
  name: 'Bericht.docx',
  content: await officeOpenXml('docx', { text: 'The harbour has twelve cranes.' }),
})

test('reads documents, shows their texts, and makes a deck from them', async () => {
  const user = await world.createUser()
  const handles = await upload(user, notes, await office())
  const { status, body } = await decompose(user, handles)
  expect(status).toBe(200)
  const found = body as unknown as { name: string; file_path: string }[]
  expect(found.map(({ name }) => name)).toEqual(['notes.txt', 'Bericht.docx'])
  expect(JSON.stringify(body)).not.toContain('/tmp/')
  const paths = found.map(({ file_path: path }) => path)
  // What was read stays readable when upstream loses it.
  world.presenton.wipeUploads()
  expect(await readFile(user, paths[0])).toEqual({ status: 200, body: { content: notes.content } })
  expect((await readFile(user, paths[1])).body.content).toContain('twelve cranes')

  const created = await read(user, 'presentation/create', {
    body: { content: '', n_slides: 3, file_paths: paths },
  })
  expect(created.status).toBe(200)
  const messages = await messagesOf(call(user, `outlines/stream/${created.body.id}`))
  for (const word of ['ferry', 'cranes']) expect(JSON.stringify(messages)).toContain(word)
  const [
    {
      items: [deck],
    } = { items: [] },
  ] = [(await user.api('/presentations')).body]
  expect(deck.sources).toMatchObject([{ name: 'notes.txt' }, { name: 'Bericht.docx' }])
})

test('reads for one request of a user at a time, over all replicas', async () => {
  const user = await world.createUser()
  const other = await world.createUser('other')
  const second = await world.openReplica()
  const [handle] = await upload(user, notes)
  const [foreign] = await upload(other, notes)
  world.presenton.gates.hold('decompose')
  const first = decompose(user, [handle])
  await world.presenton.gates.arrived('decompose')
  const refused = await call(user, 'files/decompose', {
    ...{ body: { file_paths: [handle] }, gateway: second },
  })
  expect(refused.status).toBe(429)
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
  const others = decompose(other, [foreign])
  world.presenton.gates.releaseAll()
  expect((await first).status).toBe(200)
  expect((await others).status).toBe(200)
  expect((await decompose(user, [handle])).status).toBe(200)
  await world.closeReplica(second)
})

test('lets another request read once the holder of the right is lost', async () => {
  const user = await world.createUser()
  const [handle] = await upload(user, notes)
  const hold = (seconds: number) =>
    world.query(
      `insert into gateway.document_reads (user_id, token, expires_at)
       values ($1, gen_random_uuid(), now() + $2 * interval '1 second')
       on conflict (user_id) do update set expires_at = excluded.expires_at`,
      [user.sub, seconds],
    )
  await hold(60)
  expect((await decompose(user, [handle])).status).toBe(429)
  await hold(-1)
  expect((await decompose(user, [handle])).status).toBe(200)
  expect(await world.query('select 1 from gateway.document_reads')).toEqual([])
})

test('goes on when its tab closes', async () => {
  const user = await world.createUser()
  const [handle = ''] = await upload(user, notes)
  world.presenton.gates.hold('decompose')
  const leaving = new AbortController()
  const left = call(user, 'files/decompose', {
    ...{ body: { file_paths: [handle] }, signal: leaving.signal },
  })
  await world.presenton.gates.arrived('decompose')
  leaving.abort()
  await expect(left).rejects.toThrow()
  world.presenton.gates.releaseAll()
  const path = handle.replace('/notes.txt', '/text/notes.txt.txt')
  await expect.poll(async () => (await readFile(user, path)).status, { timeout: 20_000 }).toBe(200)
})

test('takes 10 minutes at most, for which its connection stays open', async () => {
  const user = await world.createUser()
  const [handle] = await upload(user, notes)
  const presenton = openClient(world.presenton.url, { credentials })
  onTestFinished(() => presenton.close())
  const read = createReadDocuments({
    ...{ database, presenton, leaseMs: 30_000, timeoutMs: 300 },
    // In place of the store.
    objects: { readRange: async () => Buffer.from(notes.content) },
  })
  const exchange = { ...asShared, owner: user.sub, body: { file_paths: [handle] } }
  world.presenton.gates.hold('decompose')
  const late = read.readDocuments(exchange as unknown as Exchange)
  await expect(late).rejects.toMatchObject({ code: 'UPSTREAM_TIMEOUT', status: 504 })
  world.presenton.gates.releaseAll()
  expect(await world.query('select 1 from gateway.document_reads')).toEqual([])

  expect(readTimeoutMs).toBe(600_000)
  const setTimeouts = vi.spyOn(Socket.prototype, 'setTimeout')
  onTestFinished(() => setTimeouts.mockRestore())
  expect((await decompose(user, [handle])).status).toBe(200)
  const port = Number(new URL(world.gateways[0]?.makerUrl ?? '').port)
  const ofMaker = setTimeouts.mock.calls.filter((_, index) => {
    const socket = setTimeouts.mock.contexts[index] as Socket
    return socket.localPort === port
  })
  expect(Math.max(...ofMaker.map(([ms]) => ms))).toBeGreaterThan(readTimeoutMs)
})

test('a file that upstream loses is sent to it again', async () => {
  const user = await world.createUser()
  const [handle] = await upload(user, notes)
  world.presenton.gates.hold('decompose')
  const reading = decompose(user, [handle])
  await world.presenton.gates.arrived('decompose')
  world.presenton.wipeUploads()
  world.presenton.gates.releaseAll()
  expect((await reading).status).toBe(200)
})

test('only what was read for this user can be read', async () => {
  const user = await world.createUser()
  const other = await world.createUser('other')
  const [handle = ''] = await upload(user, notes)
  const text = handle.replace('/notes.txt', '/text/notes.txt.txt')
  const upstream = await upstreamDuring(world, async () => {
    // Not read yet.
    expect((await readFile(user, text)).status).toBe(404)
  })
  expect(upstream).toEqual([])
  await decompose(user, [handle])
  const bad = [
    ...[handle, `${text}/../x`, text.toUpperCase(), text.replace('notes', 'other'), '/etc/passwd'],
    ...['/tmp/presenton/x/notes.txt', '/app_data/userConfig.json', '', null, 7, ['x'], undefined],
  ]
  expect(
    await upstreamDuring(world, async () => {
      for (const path of bad) {
        const { status, body } = await readFile(user, path)
        expect(status, String(path)).toBe(404)
        expect(Object.keys(body)).toEqual(['error'])
      }
      expect((await readFile(other, text)).status).toBe(404)
      expect((await decompose(other, [handle])).status).toBe(404)
      for (const paths of [[], undefined, 'x', [7], Array.from({ length: 11 }, () => handle)])
        expect((await decompose(user, paths)).status).toBe(400)
      expect((await decompose(user, [handle], 7)).status).toBe(400)
      expect((await decompose(user, ['/etc/passwd'])).status).toBe(404)
    }),
  ).toEqual([])

  await world.query(`update gateway.document_texts set read_at = now() - interval '25 hours'`)
  expect((await readFile(user, text)).status).toBe(404)
  await decompose(user, [handle])
  expect((await readFile(user, text)).status).toBe(200)
  const id = /\/documents\/([^/]+)/.exec(handle)?.[1]
  await user.api(`/sources/${id}`, { method: 'DELETE' })
  expect((await readFile(user, text)).status).toBe(404)
})

test('reports a failure of upstream, and frees the right', async () => {
  const user = await world.createUser()
  const [handle] = await upload(user, notes)
  world.presenton.faults.inject('decompose:500')
  expect((await decompose(user, [handle])).status).toBe(502)
  world.presenton.faults.inject('read-file:500')
  expect((await decompose(user, [handle])).status).toBe(502)
  world.presenton.faults.inject('decompose:400')
  const refused = await decompose(user, [handle])
  expect(refused.status).toBe(422)
  expect(JSON.stringify(refused.body)).not.toContain('/tmp/')
  expect((await decompose(user, [handle])).status).toBe(200)
})
