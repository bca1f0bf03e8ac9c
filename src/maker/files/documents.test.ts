// Documents that are uploaded in the slide maker: sources of their user, which decks and chats are
// made from. Over real sockets and with real workers.

import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { User } from '../../journeys/user.ts'
import { png } from '../../sandbox/documents.ts'
import { waitFor } from '../../sandbox/wait-for.ts'
import { createCalls, messagesOf, openPaidWorld, type PaidWorld } from '../paid/test-world.ts'
import { formOf, notes, type SentFile, uploadDocuments, upstreamDuring } from './test-world.ts'

let world: PaidWorld['world']
let close: PaidWorld['close']
beforeAll(async () => {
  const env = { MAX_SOURCE_MIB: '1', MAX_SOURCES: '5', MAX_REQUEST_MIB: '3' }
  ;({ world, close } = await openPaidWorld(env))
})
afterEach(() => world.expectNoLeaks())
afterAll(() => close())

const { call, read } = createCalls(() => world)

const upload = (user: User, ...files: SentFile[]) => uploadDocuments(call, user, ...files)
const sourcesOf = async (user: User) =>
  (await user.api('/sources')).body.items as { id: string; name: string }[]
const create = (user: User, paths: string[], content = 'A talk about ferries') =>
  read(user, 'presentation/create', { body: { content, n_slides: 3, file_paths: paths } })
const uploadsTo = () => world.presenton.journal.filter(({ operation }) => operation === 'upload')

test('documents become sources, and the interface gets texts that look like paths', async () => {
  const user = await world.createUser()
  const upstream = await upstreamDuring(world, async () => {
    const handles = await upload(user, notes, { name: 'Bild.png', content: await png() })
    const sources = await sourcesOf(user)
    expect(handles.map((handle) => handle.split('/').pop())).toEqual(['notes.txt', 'Bild.png'])
    const ids = sources.map(({ id }) => id).reverse()
    expect(handles).toEqual([`/documents/${ids[0]}/notes.txt`, `/documents/${ids[1]}/Bild.png`])
  })
  expect(upstream).toEqual([])
  expect((await user.api('/usage')).body.sources.used).toBe(2)
})

test('a deck from documents has them as sources, and survives a restart of upstream', async () => {
  const user = await world.createUser()
  const [handle = ''] = await upload(user, notes)
  const [source] = await sourcesOf(user)
  const before = uploadsTo().length
  const { status, body } = await create(user, [handle, handle])
  expect(status).toBe(200)
  expect(body.file_paths).toEqual([handle, handle])
  expect(JSON.stringify(body)).not.toContain('/tmp/')
  const [row] = await world.query<{ id: string }>(
    'select id from gateway.presentations where user_id = $1',
    [user.sub],
  )
  expect((await user.read(row?.id ?? '')).sources).toEqual([{ id: source?.id, name: 'notes.txt' }])
  const messages = await messagesOf(call(user, `outlines/stream/${body.id}`))
  expect(JSON.stringify(messages)).toContain('ferry')
  expect(uploadsTo().length).toBe(before + 1)
})

test('files that upstream loses are sent to it again', async () => {
  const user = await world.createUser()
  const [handle = ''] = await upload(user, notes)
  const before = uploadsTo().length
  world.presenton.gates.hold('create')
  const created = create(user, [handle])
  await world.presenton.gates.arrived('create')
  world.presenton.wipeUploads()
  world.presenton.gates.hold('outlines')
  world.presenton.gates.release('create')
  const { status, body } = await created
  expect(status).toBe(200)
  expect(uploadsTo().length).toBe(before + 2)
  await world.presenton.gates.arrived('outlines')
  world.presenton.wipeUploads()
  world.presenton.gates.releaseAll()
  // While the run makes another deck there is none; the interface asks again, too.
  const readEnd = async () =>
    (await messagesOf(call(user, `outlines/stream/${body.id}`))).at(-1)?.type
  await expect.poll(readEnd, { timeout: 30_000 }).toBe('complete')
  expect(uploadsTo().length).toBe(before + 3)
})

test('handles of others, unknown ones and paths are not found, and upstream is not asked', async () => {
  const user = await world.createUser()
  const other = await world.createUser('other')
  const [own = '', gone = ''] = await upload(user, notes, notes)
  const [foreign = ''] = await upload(other, notes)
  const id = /\/documents\/([^/]+)/.exec(own)?.[1] ?? ''
  const goneId = /\/documents\/([^/]+)/.exec(gone)?.[1]
  await user.api(`/sources/${goneId}`, { method: 'DELETE' })
  const { presenton_presentation_id: deckId } = await user.generate()
  const bad = [
    ...[foreign, gone, `/documents/${crypto.randomUUID()}/notes.txt`, `/documents/${id}`],
    ...[`/documents/${id.toUpperCase()}/notes.txt`, `/documents/${id}/other.txt`],
    ...[`/documents/${id}/../${id}/notes.txt`, `${own}/..`, `//documents/${id}/notes.txt`],
    ...['/tmp/presenton/x/notes.txt', '../../etc/passwd', '', 'notes.txt', `${own}\u0000`],
  ]
  const upstream = await upstreamDuring(world, async () => {
    for (const path of bad) {
      expect((await create(user, [own, path])).status, path).toBe(404)
      const attachments = [{ file_path: path, name: 'x', type: 'document' }]
      const body = { presentation_id: deckId, message: 'tool:none', attachments }
      expect((await call(user, 'chat/message/stream', { body })).status, path).toBe(404)
    }
  })
  expect(upstream).toEqual([])
  expect((await user.api('/usage')).body.edits_per_day.used).toBe(0)
})

test('a message takes documents along, which the presentation then lists', async () => {
  const user = await world.createUser()
  const { id, presenton_presentation_id: deckId } = await user.generate()
  const [first = '', second = ''] = await upload(user, notes, { ...notes, name: 'more.txt' })
  const attachments = [first, second, first].map((file_path) => ({
    ...{ type: 'document', name: 'notes.txt', mime_type: null, file_path },
  }))
  const body = { presentation_id: deckId, message: 'tool:none', attachments }
  const messages = await messagesOf(call(user, 'chat/message/stream', { body }))
  expect(messages.at(-1)?.type).toBe('complete')
  expect(JSON.stringify(messages)).not.toContain('/tmp/')
  const listed = [{ name: 'notes.txt' }, { name: 'more.txt' }]
  expect((await user.read(id)).sources).toMatchObject(listed)
  await messagesOf(call(user, 'chat/message/stream', { body }))
  expect((await user.read(id)).sources).toHaveLength(2)
})

test('the checks, limits and quotas of sources hold', async () => {
  const user = await world.createUser()
  const refuse = async (files: SentFile[], part?: string) => {
    const response = await call(user, 'files/upload', { method: 'POST', body: formOf(files, part) })
    return { status: response.status, detail: (await response.json()) as { detail: string } }
  }
  const large = 'x'.repeat(1024 * 1024 + 1)
  expect((await refuse([notes, { name: 'a.txt', content: large }])).status).toBe(413)
  expect((await refuse([{ name: 'a.exe', content: 'MZ' }])).status).toBe(415)
  expect((await refuse([{ name: 'a.txt', content: '' }])).status).toBe(400)
  expect((await refuse([notes], 'other')).status).toBe(400)
  expect((await refuse([])).status).toBe(400)
  expect((await refuse(Array.from({ length: 6 }, () => notes))).status).toBe(402)
  expect(await sourcesOf(user)).toEqual([])
  const json = await call(user, 'files/upload', { method: 'POST', body: {} })
  expect(json.status).toBe(415)
})

test.each([
  [
    'paths and quotes',
    ['../../etc/passwd.txt', 'C:\\x\\evil.txt', 'a"; filename="b.txt', 'ümläut ✓.txt'],
  ],
  [
    'line ends and marks',
    ['a\r\nX-Planted: 1\r\n\r\nb.txt', '\u202etxt.exe.txt', '..\u2028.txt', '%2e%2e%2fx.txt'],
  ],
])('takes the base name of a file, without a path or header injection: %s', async (_, names) => {
  const user = await world.createUser()
  const handles = await upload(user, ...names.map((name) => ({ ...notes, name })))
  expect(handles.map((handle) => handle.split('/').length)).toEqual([4, 4, 4, 4])
  for (const handle of handles) expect(handle).not.toMatch(/[\p{Cc}\\]|\/\.\.(?:\/|$)/u)
  const before = world.presenton.journal.length
  expect((await create(user, handles)).status).toBe(200)
  const sent = world.presenton.journal.slice(before).map(({ headers }) => headers)
  expect(JSON.stringify(sent)).not.toMatch(/x-planted/i)
})

test('keeps nothing of an upload whose tab closes in the middle', async () => {
  const user = await world.createUser()
  await upload(user, notes)
  const leaving = new AbortController()
  async function* body() {
    const head = 'Content-Disposition: form-data; name="files"; filename="half.txt"'
    yield Buffer.from(`--b\r\n${head}\r\n\r\nhalf of it`)
    leaving.abort()
    await new Promise(() => undefined)
  }
  const { body: link } = await user.api('/maker', { method: 'POST', body: {} })
  const entered = await fetch(link.url, {
    headers: { 'sec-fetch-dest': 'document', 'sec-fetch-mode': 'navigate' },
    redirect: 'manual',
  })
  const cookie = entered.headers.getSetCookie()[0]?.split(';')[0] ?? ''
  const sent = fetch(`${world.gateways[0]?.makerUrl}/api/v1/ppt/files/upload`, {
    ...{
      method: 'POST',
      duplex: 'half',
      signal: leaving.signal,
      body: ReadableStream.from(body()),
    },
    headers: {
      'content-type': 'multipart/form-data; boundary=b',
      ...{ cookie, 'sec-fetch-site': 'same-origin' },
    },
  } as RequestInit)
  await expect(sent).rejects.toThrow()
  await waitFor(async () => expect(await sourcesOf(user)).toHaveLength(1))
  const [row] = await world.query<{ count: number }>(
    `select count(*)::int as count from gateway.uploads
     where object_key like $1 and remove_after is null`,
    [`sources/${user.sub}/%`],
  )
  expect(row?.count).toBe(1)
})
