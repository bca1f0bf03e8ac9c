// The pictures of a deck show in a browser: for those in whose slides they are, by their plain
// paths only, and with nothing of upstream but the picture.

import { connect } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type Shape, shapes } from '../sandbox/presenton/stand-in.ts'
import { upstreamOptions } from './fault-runs.ts'
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

  let pictures = 0
  /** A deck with a picture in it. */
  async function show(user: User, path = `/app_data/images/picture-${pictures++}.png`) {
    const { id } = await user.generate({ outlines: ['# One', `# Two\n\n- ${path}`] })
    return { id, path }
  }
  const get = (path: string, headers: Record<string, string> = {}, method = 'GET') =>
    fetch(`${world.url}${path}`, { headers, method, redirect: 'manual' })
  const as = ({ token }: User) => ({ authorization: `Bearer ${token}` })
  const asked = () => world.presenton.journal.filter(({ operation }) => operation === 'asset')

  test('a picture is for the user in whose slides it is', async () => {
    const [alice, bob] = [await world.createUser('alice'), await world.createUser('bob')]
    const { id, path } = await show(alice)
    const answer = await get(path, as(alice))
    expect({ status: answer.status, type: answer.headers.get('content-type') }).toEqual({
      status: 200,
      type: 'image/png',
    })
    expect(
      Buffer.from(await answer.arrayBuffer())
        .subarray(1, 4)
        .toString(),
    ).toBe('PNG')

    const before = asked().length
    const others = [
      await get(path, as(bob)),
      await get(path.replace('picture', 'other'), as(alice)),
    ]
    for (const other of others) {
      expect(other.status).toBe(404)
      expect(await other.json()).toMatchObject({ code: 'NOT_FOUND', status: 404 })
    }
    const stranger = await get(path)
    expect([stranger.status, stranger.headers.get('www-authenticate')]).toEqual([401, 'Bearer'])
    expect(asked()).toHaveLength(before)

    expect(await alice.api(`/presentations/${id}`, { method: 'DELETE' })).toMatchObject({
      status: 204,
    })
    expect((await get(path, as(alice))).status).toBe(404)
  })

  test('what slides share is for everybody who is signed in, also by cookie', async () => {
    const user = await world.createUser()
    expect((await get('/static/icons/placeholder.svg')).status).toBe(401)
    const session = await get('/api/v1/session', as(user), 'POST')
    const cookie = session.headers.get('set-cookie')?.split(';')[0] ?? ''
    const answer = await get('/static/icons/placeholder.svg', { cookie })
    expect(answer.status).toBe(200)
    expect(await answer.text()).toContain('<svg')
    const headers = Object.fromEntries(answer.headers)
    expect(headers).toMatchObject({
      'content-type': 'image/svg+xml',
      'x-content-type-options': 'nosniff',
      'content-security-policy': expect.stringMatching(/default-src 'none'.*sandbox/),
      'cache-control': expect.stringMatching(/^private/),
      vary: expect.stringContaining('Cookie'),
    })
    expect(Object.keys(headers)).not.toEqual(expect.arrayContaining(['server']))
  })

  test('HEAD tells of it and sends nothing', async () => {
    const user = await world.createUser()
    const { path } = await show(user)
    const whole = (await (await get(path, as(user))).arrayBuffer()).byteLength
    const head = await get(path, as(user), 'HEAD')
    expect([head.status, head.headers.get('content-length'), await head.text()]).toEqual([
      200,
      String(whole),
      '',
    ])
    expect((await get(path, as(user), 'POST')).status).toBe(405)
  })

  test("upstream gets a request of the gateway's own: nothing of the caller's headers, query or body", async () => {
    const user = await world.createUser()
    const { path } = await show(user)
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
    const call = asked().at(-1)!
    expect(call.path).toBe(path)
    expect(Object.keys(call.headers).sort()).toEqual(
      expect.arrayContaining(['accept', 'accept-encoding', 'connection', 'host', 'user-agent']),
    )
    const told = JSON.stringify(call.headers)
    for (const secret of [user.token, 'planted', '1.2.3.4', 'x-original-uri', 'bytes=', 'evil'])
      expect(told).not.toContain(secret)
  })

  test('only plain paths lead anywhere', async () => {
    const user = await world.createUser()
    await show(user)
    const before = asked().length
    const odd = [
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
    for (const path of odd) {
      const status = await rawStatus(path, user)
      expect({ path, status }).toEqual({ path, status: status === 400 ? 400 : 404 })
    }
    expect(asked()).toHaveLength(before)
  })

  /** fetch would put the path into its normal form first. */
  function rawStatus(path: string, { token }: User): Promise<number> {
    const { port } = new URL(world.url)
    return new Promise((resolve, reject) => {
      const socket = connect(Number(port), '127.0.0.1', () =>
        socket.write(
          `GET ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nConnection: close\r\n\r\n`,
        ),
      )
      let answer = ''
      socket.setEncoding('latin1').on('data', (data: string) => {
        answer += data
      })
      socket.once('error', reject).once('close', () => resolve(Number(answer.split(' ')[1])))
    })
  }

  test("nothing of upstream's passes but a picture", async () => {
    const user = await world.createUser()
    const { path } = await show(user)
    const ends = [
      ['asset:404', 404, 'NOT_FOUND'],
      ['asset:403', 422, 'UPSTREAM_REJECTED'],
      ['asset:redirect', 404, 'NOT_FOUND'],
      ['asset:reply-html', 404, 'NOT_FOUND'],
      ['asset:500', 502, 'UPSTREAM_ERROR'],
      ['asset:reset', 502, 'UPSTREAM_ERROR'],
      ['asset:502', 503, 'UPSTREAM_UNAVAILABLE'],
    ] as const
    for (const [fault, status, code] of ends) {
      world.presenton.faults.inject(fault)
      const answer = await get(path, as(user))
      const text = await answer.text()
      expect({ fault, status: answer.status, type: answer.headers.get('content-type') }).toEqual({
        fault,
        status,
        type: expect.stringMatching(/^application\/problem\+json/),
      })
      expect(JSON.parse(text)).toMatchObject({ code, status, instance: path })
      expect(text).not.toMatch(/<html|nginx|127\.0\.0\.1/)
      expect(answer.headers.get('cache-control')).toBe('no-store')
    }
    await world.presenton.faults.down()
    const away = await get(path, as(user))
    await world.presenton.faults.up()
    expect(away.status).toBe(503)
    expect(await away.json()).toMatchObject({ code: 'UPSTREAM_UNAVAILABLE' })
    expect(Number(away.headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
  })
})
