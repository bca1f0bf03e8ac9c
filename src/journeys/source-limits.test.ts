// Limits of uploads: quotas over replicas, uploads at once, repeated requests, what breaks on the
// way.

import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { createClamd, hasClamd, signature } from '../sandbox/clamd.ts'
import { officeOpenXml } from '../sandbox/documents.ts'
import { waitFor } from '../sandbox/wait-for.ts'
import { upload } from './uploads.ts'
import type { User } from './user.ts'
import { openWorld, type World, type WorldOptions } from './world.ts'

let world: World
let user: User
afterEach(() => world.close())

async function open(options: WorldOptions = {}) {
  world = await openWorld(options)
  user = await world.createUser()
}

const text = (content = 'x', name = 'a.txt') => ({ name, content })

/** Keys of this user's objects that the gateway has recorded and not removed. */
const keys = async () =>
  (
    await world.query<{ object_key: string }>(
      'select object_key from gateway.uploads where object_key like $1',
      [`sources/${user.sub}/%`],
    )
  ).map(({ object_key }) => object_key)

const large = () => Buffer.alloc(6 * 1024 * 1024, 'large ')

test('quotas are exact under parallel uploads on two replicas', async () => {
  await open({ replicas: 2, env: { MAX_SOURCES: '3', QUOTA_SOURCES_MIB: '13' } })
  const urls = world.gateways.map(({ url }) => url)
  const results = await Promise.all(
    [...urls, ...urls, ...urls, ...urls].map((url) => upload(user, url, [text()])),
  )
  expect(results.map(({ status }) => status).sort()).toEqual([
    201, 201, 201, 402, 402, 402, 402, 402,
  ])
  const refused = results.filter(({ status }) => status === 402)
  for (const { body } of refused) expect(body.code).toBe('QUOTA_EXHAUSTED')
  await waitFor(async () => expect(await keys()).toHaveLength(3))
  expect((await user.api('/usage')).body).toMatchObject({
    sources: { limit: 3, used: 3, remaining: 0, resets_at: null },
    sources_mib: { limit: 13, used: 1, remaining: 12 },
  })
  const [first] = (await user.api('/sources')).body.items
  await user.api(`/sources/${first.id}`, { method: 'DELETE' })
  expect(await upload(user, urls[0] ?? '', [text()])).toMatchObject({ status: 201 })
  expect((await user.api('/sources?limit=2')).body).toMatchObject({
    next_cursor: expect.any(String),
  })
  for (const { id } of (await user.api('/sources')).body.items)
    await user.api(`/sources/${id}`, { method: 'DELETE' })
  const files = await Promise.all(
    [...urls, ...urls].slice(1).map((url) => upload(user, url, [text(`${large()}`)])),
  )
  expect(files.map(({ status }) => status).sort()).toEqual([201, 201, 402])
})

test('a repeated request gets the first response and leaves no second object', async () => {
  await open()
  const headers = { 'idempotency-key': 'call_1' }
  const send = (content: string) => upload(user, world.url, [text(content)], { headers })
  const first = await send('one')
  expect(first.status).toBe(201)
  const again = await send('one')
  expect(again).toMatchObject({ status: 201, body: first.body })
  expect(again.headers.get('idempotency-replayed')).toBe('true')
  expect(await send('two')).toMatchObject({ status: 422, body: { code: 'IDEMPOTENCY_KEY_REUSED' } })
  const renamed = await upload(user, world.url, [text('one', 'b.txt')], { headers })
  expect(renamed).toMatchObject({ status: 422 })
  expect(await keys()).toHaveLength(1)
})

/** Begins an upload without its end. */
async function begin(body: string | Buffer) {
  const { port, host } = new URL(world.url)
  const socket = connect(Number(port), '127.0.0.1').on('error', () => undefined)
  await once(socket, 'connect')
  const head = [
    'POST /api/v1/sources HTTP/1.1',
    `Host: ${host}`,
    `Authorization: Bearer ${user.token}`,
    'Content-Type: multipart/form-data; boundary=b',
    'Content-Length: 20000000',
  ]
  const part = '--b\r\nContent-Disposition: form-data; name="files"; filename="a.txt"\r\n\r\n'
  socket.write(`${head.join('\r\n')}\r\n\r\n${part}`)
  socket.write(body)
  return socket
}

test('a fifth upload at once is refused until another ends', async () => {
  await open()
  const sockets = await Promise.all([1, 2, 3, 4].map(() => begin('x')))
  await waitFor(async () => {
    const refused = await upload(user, world.url, [text()])
    expect(refused).toMatchObject({ status: 429, body: { code: 'RATE_LIMIT_EXCEEDED' } })
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
  })
  for (const socket of sockets) socket.destroy()
  await waitFor(async () =>
    expect(await upload(user, world.url, [text()])).toMatchObject({ status: 201 }),
  )
})

test('a client that disconnects in the middle leaves no row and no object', async () => {
  await open()
  const socket = await begin(large())
  await waitFor(async () => expect(await keys()).toHaveLength(1))
  socket.destroy()
  await waitFor(async () => expect(await keys()).toEqual([]))
  expect((await user.api('/sources')).body.items).toEqual([])
}, 60_000)

test('with the store down an upload is 503, and works once it is back', async () => {
  await open()
  await world.objects.down()
  expect(await upload(user, world.url, [text()])).toMatchObject({
    status: 503,
    body: { code: 'STORAGE_UNAVAILABLE' },
  })
  await world.objects.up()
  expect(await upload(user, world.url, [text()])).toMatchObject({ status: 201 })
})

describe('with a virus scanner', () => {
  /** Speaks as much of clamd as INSTREAM needs. */
  async function openScanner(respond: (content: Buffer) => string | undefined) {
    const server = createServer((socket) => {
      let received = Buffer.alloc(0)
      socket.on('error', () => undefined)
      socket.on('data', (chunk) => {
        received = Buffer.concat([received, chunk])
        if (!received.subarray(-4).equals(Buffer.alloc(4))) return
        expect(received.subarray(0, 10).toString('latin1')).toBe('zINSTREAM\0')
        const parts: Buffer[] = []
        for (let at = 10; at < received.length; ) {
          const length = received.readUInt32BE(at)
          parts.push(received.subarray(at + 4, at + 4 + length))
          at += 4 + length
        }
        const response = respond(Buffer.concat(parts))
        if (response === undefined) socket.resetAndDestroy()
        else socket.end(`${response}\0`)
      })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as { port: number }
    return { port, close: () => new Promise((resolve) => server.close(resolve)) }
  }

  test('infected files are 422, too large ones 413, and nothing passes while it is away', async () => {
    let resets = 1
    const scanner = await openScanner((content) =>
      content.includes('reset') && resets-- > 0
        ? undefined
        : content.includes('virus')
          ? 'stream: Test-Signature FOUND'
          : content.includes('huge')
            ? 'INSTREAM size limit exceeded. ERROR'
            : 'stream: OK',
    )
    await open({ env: { CLAMD_HOST: '127.0.0.1', CLAMD_PORT: String(scanner.port) } })
    const send = (content: string | Buffer) =>
      upload(user, world.url, [text(), { name: 'b.txt', content }])
    // A connection that breaks is opened once more.
    expect(await send('fine, but reset')).toMatchObject({ status: 201 })
    const infected = Buffer.concat([large(), Buffer.from('virus')])
    for (const content of ['a virus', infected]) {
      expect(await send(content)).toMatchObject({
        status: 422,
        body: { code: 'SOURCE_REJECTED', errors: [{ path: '/files/1' }] },
      })
    }
    expect(await send('huge')).toMatchObject({
      status: 413,
      body: { errors: [{ path: '/files/1' }] },
    })
    await scanner.close()
    expect(await send('fine')).toMatchObject({ status: 503, body: { code: 'SCANNER_UNAVAILABLE' } })
    expect(await keys()).toHaveLength(2)
  }, 60_000)
})

test.skipIf(!hasClamd)('clamd itself (needs it in the PATH)', { timeout: 120_000 }, async () => {
  const clamd = await createClamd()
  await clamd.start()
  await open({ env: { CLAMD_HOST: '127.0.0.1', CLAMD_PORT: String(clamd.port) } })
  const send = (...contents: (string | Buffer)[]) =>
    upload(
      user,
      world.url,
      contents.map((content) => ({ name: 'a.txt', content })),
    )
  expect(await send('fine', large())).toMatchObject({ status: 201 })
  const office = await officeOpenXml('docx', { text: signature })
  for (const content of [signature, Buffer.concat([large(), Buffer.from(signature)]), office]) {
    const refused = await send('fine', content)
    const body = { code: 'SOURCE_REJECTED', errors: [{ path: '/files/1' }] }
    expect(refused).toMatchObject({ status: 422, body })
    expect(JSON.stringify(refused.body)).not.toContain('Test.Signature')
  }
  for (const size of [8 * 1024 * 1024 + 1, 20 * 1024 * 1024]) {
    const body = { code: 'PAYLOAD_TOO_LARGE', errors: [{ path: '/files/1' }] }
    expect(await send('fine', Buffer.alloc(size, 'x'))).toMatchObject({ status: 413, body })
  }
  const away = { status: 503, body: { code: 'SCANNER_UNAVAILABLE' } }
  clamd.pause()
  // It is scanned once it is in the store.
  const stored = () =>
    world.objects.requests.filter(({ query }) => query.has('uploadId') && !query.has('partNumber'))
  const before = stored().length
  const waiting = send(large())
  await waitFor(() => expect(stored().length).toBeGreaterThan(before))
  await clamd.stop()
  expect(await waiting).toMatchObject(away)
  const refused = await send('fine')
  expect(refused).toMatchObject(away)
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
  await clamd.start()
  const many = await Promise.all([1, 2, 3, 4].map(() => send(large())))
  expect(many.map(({ status }) => status)).toEqual([201, 201, 201, 201])
  expect(await keys()).toHaveLength(6)
  await clamd.close()
})
