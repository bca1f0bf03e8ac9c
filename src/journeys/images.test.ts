// Images in slides, as a browser fetches them: only by the users whose slides contain them, only by
// plain paths, and with nothing from upstream but the image.

import { connect } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type Shape, shapes } from '../sandbox/presenton/stand-in.ts'
import { upstreamOptions } from './upstream-options.ts'
import type { User } from './user.ts'
import { openWorld, type World } from './world.ts'

describe.each<Shape>([...shapes])('in shape %s', (shape) => {
  let world: World
  beforeAll(async () => {
    world = await openWorld({
      ...upstreamOptions(shape),
      env: { ...upstreamOptions(shape).env, BREAKER_MIN_CALLS: '1000' },
    })
  })
  afterEach(() => world.expectNoLeaks())
  afterAll(() => world.close())

  let imageCount = 0
  /** Generates a deck with a new image in it. */
  async function generateImage(user: User) {
    const path = `/app_data/images/image-${imageCount++}.png`
    const { id } = await user.generate({ outlines: ['# One', `# Two\n\n- ${path}`] })
    return { id, path }
  }
  const get = (path: string, headers: Record<string, string> = {}, method = 'GET') =>
    fetch(`${world.url}${path}`, { headers, method, redirect: 'manual' })
  const as = ({ token }: User) => ({ authorization: `Bearer ${token}` })
  const upstreamRequests = () =>
    world.presenton.journal.filter(({ operation }) => operation === 'asset')

  test('returns an image only to users whose slides contain it', async () => {
    const [alice, bob] = [await world.createUser('alice'), await world.createUser('bob')]
    const { id, path } = await generateImage(alice)
    const response = await get(path, as(alice))
    expect({ status: response.status, type: response.headers.get('content-type') }).toEqual({
      status: 200,
      type: 'image/png',
    })
    expect(
      Buffer.from(await response.arrayBuffer())
        .subarray(1, 4)
        .toString(),
    ).toBe('PNG')

    const before = upstreamRequests().length
    const others = [
      await get(path, as(bob)),
      await get(path.replace('image-', 'other-'), as(alice)),
    ]
    for (const other of others) {
      expect(other.status).toBe(404)
      expect(await other.json()).toMatchObject({ code: 'NOT_FOUND', status: 404 })
    }
    const anonymous = await get(path)
    expect([anonymous.status, anonymous.headers.get('www-authenticate')]).toEqual([401, 'Bearer'])
    expect(upstreamRequests()).toHaveLength(before)

    expect(await alice.api(`/presentations/${id}`, { method: 'DELETE' })).toMatchObject({
      status: 204,
    })
    expect((await get(path, as(alice))).status).toBe(404)
  })

  test('returns shared images to every authenticated user, also by cookie', async () => {
    const user = await world.createUser()
    expect((await get('/static/icons/placeholder.svg')).status).toBe(401)
    const session = await get('/api/v1/session', as(user), 'POST')
    const cookie = session.headers.get('set-cookie')?.split(';')[0] ?? ''
    const response = await get('/static/icons/placeholder.svg', { cookie })
    expect(response.status).toBe(200)
    expect(await response.text()).toContain('<svg')
    const headers = Object.fromEntries(response.headers)
    expect(headers).toMatchObject({
      'content-type': 'image/svg+xml',
      'x-content-type-options': 'nosniff',
      'content-security-policy': expect.stringMatching(/default-src 'none'.*sandbox/),
      'cache-control': expect.stringMatching(/^private/),
      vary: expect.stringContaining('Cookie'),
    })
    expect(Object.keys(headers)).not.toEqual(expect.arrayContaining(['server']))
  })

  test('responds to HEAD with the headers of GET and no body', async () => {
    const user = await world.createUser()
    const { path } = await generateImage(user)
    const sizeBytes = (await (await get(path, as(user))).arrayBuffer()).byteLength
    const head = await get(path, as(user), 'HEAD')
    expect([head.status, head.headers.get('content-length'), await head.text()]).toEqual([
      200,
      String(sizeBytes),
      '',
    ])
    expect((await get(path, as(user), 'POST')).status).toBe(405)
  })

  test('sends upstream none of the headers and no query of the client', async () => {
    const user = await world.createUser()
    const { path } = await generateImage(user)
    const headers = {
      ...as(user),
      cookie: 'presenton_session=planted; gateway_session=x',
      'x-forwarded-for': '1.2.3.4',
      'x-original-uri': '/app_data/images/users/other/x.png',
      range: 'bytes=0-1',
      'if-none-match': '"x"',
      referer: 'http://evil.example/',
    }
    expect((await get(`${path}?x=1`, headers)).status).toBe(200)
    const received = upstreamRequests().at(-1)!
    expect(received.path).toBe(path)
    expect(Object.keys(received.headers).sort()).toEqual(
      expect.arrayContaining(['accept', 'accept-encoding', 'connection', 'host', 'user-agent']),
    )
    const receivedHeaders = JSON.stringify(received.headers)
    for (const secret of [user.token, 'planted', '1.2.3.4', 'x-original-uri', 'bytes=', 'evil'])
      expect(receivedHeaders).not.toContain(secret)
  })

  test('returns 404 for every path that is not plain', async () => {
    const user = await world.createUser()
    await generateImage(user)
    const before = upstreamRequests().length
    const malformedPaths = [
      '/static/../app_data/exports/x.pptx',
      '/static/%2e%2e/app_data/exports/x.pptx',
      '/static/%252e%252e/secret.png',
      '/static/./images/placeholder.jpg',
      '/static//images/placeholder.jpg',
      '/static/images%2fplaceholder.jpg',
      '/static/images%5cplaceholder.jpg',
      '/static/images\\placeholder.jpg',
      '/static/images/placeholder.jpg%00',
      '/static/images/%0d%0aplaceholder.jpg',
      '/static/%zz.png',
      '/static/',
      '/static',
      '/app_data/images/',
      '/app_data/images/../exports/x.pptx',
      '/app_data/images/%2e%2e/userConfig.json',
      '/app_data/exports/x.pptx',
      '/app_data/userConfig.json',
      '/static..%2fx.png',
    ]
    for (const path of malformedPaths) {
      const status = await rawStatus(path, user)
      expect({ path, status }).toEqual({ path, status: status === 400 ? 400 : 404 })
    }
    expect(upstreamRequests()).toHaveLength(before)
  })

  /** fetch would normalise the path first. */
  function rawStatus(path: string, { token }: User): Promise<number> {
    const { port } = new URL(world.url)
    return new Promise((resolve, reject) => {
      const socket = connect(Number(port), '127.0.0.1', () =>
        socket.write(
          `GET ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nConnection: close\r\n\r\n`,
        ),
      )
      let response = ''
      socket.setEncoding('latin1').on('data', (data: string) => {
        response += data
      })
      socket.once('error', reject).once('close', () => resolve(Number(response.split(' ')[1])))
    })
  }

  test('returns nothing from upstream but images', async () => {
    const user = await world.createUser()
    const { path } = await generateImage(user)
    const faults = [
      ['asset:404', 404, 'NOT_FOUND'],
      ['asset:403', 422, 'UPSTREAM_REJECTED'],
      ['asset:redirect', 404, 'NOT_FOUND'],
      ['asset:reply-html', 404, 'NOT_FOUND'],
      ['asset:500', 502, 'UPSTREAM_ERROR'],
      ['asset:reset', 502, 'UPSTREAM_ERROR'],
      ['asset:502', 503, 'UPSTREAM_UNAVAILABLE'],
    ] as const
    for (const [fault, status, code] of faults) {
      world.presenton.faults.inject(fault)
      const response = await get(path, as(user))
      const text = await response.text()
      expect({
        fault,
        status: response.status,
        type: response.headers.get('content-type'),
      }).toEqual({
        fault,
        status,
        type: expect.stringMatching(/^application\/problem\+json/),
      })
      expect(JSON.parse(text)).toMatchObject({ code, status, instance: path })
      expect(text).not.toMatch(/<html|nginx|127\.0\.0\.1/)
      expect(response.headers.get('cache-control')).toBe('no-store')
    }
    await world.presenton.faults.down()
    const unavailable = await get(path, as(user))
    await world.presenton.faults.up()
    expect(unavailable.status).toBe(503)
    expect(await unavailable.json()).toMatchObject({ code: 'UPSTREAM_UNAVAILABLE' })
    expect(Number(unavailable.headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
  })
})
