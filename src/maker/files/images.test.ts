// Images of users in the slide maker, over real sockets.

import { once } from 'node:events'
import { createConnection } from 'node:net'
import { afterAll, afterEach, beforeAll, expect, onTestFinished, test } from 'vitest'
import { signInToMaker } from '../../journeys/maker-browser.ts'
import type { User } from '../../journeys/user.ts'
import { jpeg, png } from '../../sandbox/documents.ts'
import { createCalls, openPaidWorld, type PaidWorld } from '../paid/test-world.ts'
import { formOf, type SentFile, upstreamDuring } from './test-world.ts'

let world: PaidWorld['world']
let close: PaidWorld['close']
beforeAll(async () => {
  ;({ world, close } = await openPaidWorld({ MAX_SOURCE_MIB: '1' }))
})
afterEach(() => world.expectNoLeaks())
afterAll(() => close())

const { call, read } = createCalls(() => world)

const upload = (user: User, files: SentFile[], part = 'file') =>
  read(user, 'images/upload', { method: 'POST', body: formOf(files, part) })
const list = async (user: User, kind: 'uploaded' | 'generated') =>
  (await read(user, `images/${kind}`)).body as unknown as Record<string, string>[]
const picture = async (name = 'pic.png') => ({ name, content: await png() })
const usesOf = async (user: User) =>
  (await world.query('select 1 from gateway.maker_uses where user_id = $1', [user.sub])).length
const svg =
  '<svg xmlns="http://www.w3.org/2000/svg"><script>fetch("/api/v1/auth/logout")</script></svg>'

test('an image is uploaded, listed, shown, and deleted', async () => {
  const user = await world.createUser()
  const { status, body } = await upload(user, [await picture('../../Ferien "x".png')])
  expect(status).toBe(200)
  expect(body).toEqual({
    ...{ id: expect.any(String), created_at: expect.any(String), is_uploaded: true, extras: null },
    path: expect.stringMatching(/^\/app_data\/images\/users\/[\w-]+\/source----[\w-]+\.png$/),
    file_url: body.path,
  })
  expect(await list(user, 'uploaded')).toEqual([body])
  const shown = await call(user, String(body.path))
  expect(shown.status).toBe(200)
  expect(Buffer.from(await shown.arrayBuffer())).toEqual(await png())
  const second = await upload(user, [{ name: 'no-extension', content: await jpeg() }])
  expect(second.body.path).toMatch(/\.jpg$/)

  const other = await world.createUser('other')
  expect(await list(other, 'uploaded')).toEqual([])
  expect((await call(other, String(body.path))).status).toBe(404)
  expect((await call(other, `images/${body.id}`, { method: 'DELETE' })).status).toBe(404)
  const spelt = String(body.id).toUpperCase()
  expect((await call(user, `images/${spelt}`, { method: 'DELETE' })).status).toBe(204)
  expect((await call(user, `images/${body.id}`, { method: 'DELETE' })).status).toBe(404)
  expect(await list(user, 'uploaded')).toEqual([second.body])
})

test('refuses a file that is not an image, without asking upstream', async () => {
  const user = await world.createUser()
  const large = { name: 'large.png', content: Buffer.concat([await png(), Buffer.alloc(2 ** 20)]) }
  const upstream = await upstreamDuring(world, async () => {
    for (const file of [
      { name: 'a.svg', content: svg, type: 'image/svg+xml' },
      { name: 'a.png', content: svg, type: 'image/png' },
      { name: 'a.png', content: '<!doctype html><script>1</script>', type: 'image/png' },
      { name: 'a.pdf', content: '%PDF-1.7\n' },
    ])
      expect((await upload(user, [file])).status).toBe(415)
    expect((await upload(user, [large])).status).toBe(413)
    expect((await upload(user, [{ name: 'a.png', content: '' }])).status).toBe(400)
    expect((await upload(user, [await picture()], 'files')).status).toBe(400)
    expect((await upload(user, [await picture(), await picture()])).status).toBe(400)
    expect((await upload(user, [])).status).toBe(400)
    expect((await read(user, 'images/upload', { body: { file: 'x' } })).status).toBe(415)
    for (const id of ['x', '..', 'uploaded', '%2e%2e%2fthemes', `${'a'.repeat(32)}g`])
      expect((await call(user, `images/${id}`, { method: 'DELETE' })).status, id).toBe(404)
    expect((await call(user, '/api/upload-image', { method: 'POST', body: {} })).status).toBe(404)
  })
  expect(upstream).toEqual([])
  expect(await usesOf(user)).toBe(0)
})

test('a tab that closes leaves no half of an image, and no place taken', async () => {
  const user = await world.createUser()
  const image = await png()
  const maker = await signInToMaker(user, () => world.gateways[0]?.makerUrl ?? '')
  const cookie = [...maker.cookies].map((pair) => pair.join('=')).join()
  const { port } = new URL(world.gateways[0]?.makerUrl ?? '')
  const head = 'Content-Disposition: form-data; name="file"; filename="half.png"'
  const upstream = await upstreamDuring(world, async () => {
    // Two images of a user are taken at once, so a place that is lost would show.
    for (let times = 0; times < 5; times += 1) {
      const socket = createConnection(Number(port), 'localhost')
      const lines = ['POST /api/v1/ppt/images/upload HTTP/1.1', 'Host: x', `Cookie: ${cookie}`]
      const type = 'Content-Type: multipart/form-data; boundary=b'
      lines.push('Sec-Fetch-Site: same-origin', type, 'Content-Length: 1000000')
      socket.write(`${lines.join('\r\n')}\r\n\r\n--b\r\n${head}\r\n\r\n`)
      socket.write(image.subarray(0, 40))
      socket.end()
      await once(socket.resume(), 'close')
    }
  })
  expect(upstream).toEqual([])
  expect(await usesOf(user)).toBe(0)
  expect((await upload(user, [await picture()])).status).toBe(200)

  // A whole one is kept and counts once, even if its tab is closed.
  const { gates } = world.presenton
  gates.hold('upload-image')
  const leaving = new AbortController()
  const left = call(user, 'images/upload', {
    ...{ method: 'POST', body: formOf([await picture()], 'file'), signal: leaving.signal },
  })
  await gates.arrived('upload-image')
  leaving.abort()
  await expect(left).rejects.toThrow()
  gates.releaseAll()
  await expect.poll(async () => (await list(user, 'uploaded')).length).toBe(2)
  expect(await usesOf(user)).toBe(2)
})

test('limits uploads to 200 a day over all replicas, without those that did not reach upstream', async () => {
  const user = await world.createUser()
  const second = await world.openReplica()
  onTestFinished(() => world.closeReplica(second))
  await world.query(
    `insert into gateway.maker_uses (id, user_id, kind, used_at)
     select gen_random_uuid(), $1, 'image-upload', now() - n * interval '1 minute'
     from generate_series(1, 198) n`,
    [user.sub],
  )
  world.presenton.faults.inject('upload-image:503')
  expect((await upload(user, [await picture()])).status).toBe(503)
  world.presenton.faults.inject('upload-image:400')
  expect((await upload(user, [await picture()])).status).toBe(400)
  expect(await usesOf(user)).toBe(198)
  const form = async () => formOf([await picture()], 'file')
  const sent = await Promise.all(
    [undefined, second, undefined, second].map(async (gateway) => {
      const options = { method: 'POST', body: await form(), ...(gateway && { gateway }) }
      return call(user, 'images/upload', options)
    }),
  )
  expect(sent.map(({ status }) => status).sort()).toEqual([200, 200, 429, 429])
  expect(await list(user, 'uploaded')).toHaveLength(2)
  const refused = sent.find(({ status }) => status === 429)
  expect(Number(refused?.headers.get('retry-after'))).toBeGreaterThan(3600)
  await world.query(`update gateway.maker_uses set used_at = now() - interval '25 hours'`)
  expect((await upload(user, [await picture()])).status).toBe(200)
})

test('generated images are listed without paths on disk and foreign hosts', async () => {
  const user = await world.createUser()
  await call(user, 'images/generate?prompt=a%20river')
  const [made] = await list(user, 'generated')
  expect(made).toMatchObject({ is_uploaded: false, extras: { prompt: 'a river' } })
  const [owned] = [...world.presenton.images].filter(([path]) => path === made?.path)
  const base = owned?.[1]
  if (!base) throw new Error('The picture is not there.')
  for (const path of ['https://evil.example/x.png', '/etc/passwd', '/app_data/images/../x.png'])
    world.presenton.images.set(path, { ...base, id: crypto.randomUUID() })
  expect(await list(user, 'generated')).toEqual([made])
  for (const path of [...world.presenton.images.keys()])
    if (path !== made?.path) world.presenton.images.delete(path)
})

test('an uploaded drawing that is opened as a document runs no script', async () => {
  const user = await world.createUser()
  const { body } = await upload(user, [await picture()])
  const path = String(body.path).replace(/[^/]+$/, 'drawing.svg')
  const stored = world.presenton.images.get(String(body.path))
  if (!stored) throw new Error('The picture is not there.')
  const bytes = Buffer.from(svg)
  world.presenton.images.set(path, { ...stored, type: 'image/svg+xml', bytes })
  const { headers, status } = await call(user, path)
  expect(status).toBe(200)
  expect(headers.get('content-security-policy')).toMatch(/^sandbox; default-src 'none';/)
  expect(headers.get('content-security-policy')).not.toMatch(/script-src|allow-/)
  expect(headers.get('x-content-type-options')).toBe('nosniff')
  expect(headers.get('set-cookie')).toBeNull()
})

test('a search takes no key along, and is limited to 60 a minute', async () => {
  const user = await world.createUser()
  const path =
    'images/search?query=river%26provider%3Dx&limit=3&provider=Pexels&strict_api_key=true'
  const before = world.presenton.journal.length
  const { status, body } = await read(user, path, { headers: { 'x-provider-api-key': 'planted' } })
  expect(status).toBe(200)
  expect(body).toHaveLength(3)
  const [request] = world.presenton.journal
    .slice(before)
    .filter(({ operation }) => operation === 'search-images')
  expect(request?.path).toBe(
    '/api/v1/ppt/images/search?query=river%26provider%3Dx&limit=3&provider=pexels',
  )
  expect(JSON.stringify(request?.headers)).not.toContain('planted')

  const upstream = await upstreamDuring(world, async () => {
    for (const bad of [
      '',
      '?query=',
      '?query=x&limit=0',
      '?query=x&limit=31',
      '?query=x&limit=1e1',
    ])
      expect((await call(user, `images/search${bad}`)).status, bad).toBe(400)
    expect((await call(user, 'images/search?query=x&provider=http://x')).status).toBe(400)
    expect((await call(user, 'images/search?query=x&query=y')).status).toBe(400)
  })
  expect(upstream).toEqual([])
  await world.query(
    `insert into gateway.maker_uses (id, user_id, kind)
     select gen_random_uuid(), $1, 'image-search' from generate_series(1, 58)`,
    [user.sub],
  )
  const search = () => call(user, 'images/search?query=x')
  const statuses = (await Promise.all([search(), search(), search()])).map((sent) => sent.status)
  expect(statuses.sort()).toEqual([200, 429, 429])
  const other = await world.createUser('other')
  expect((await call(other, 'images/search?query=x')).status).toBe(200)
})
