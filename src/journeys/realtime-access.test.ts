// Who may open real-time connections: tickets, SSE origins and limits, the end of a token, and a
// page in a browser.

import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { openReader } from '../sandbox/reader.ts'
import { openSocket, type Socket, UpgradeRefused } from '../sandbox/socket.ts'
import { readBlocks } from './docs-pages.ts'
import type { Presentation, User } from './user.ts'
import { openWorld, type World } from './world.ts'

let world: World
let user: User
let presentation: Presentation
const sockets: Socket[] = []
beforeAll(async () => {
  world = await openWorld({ replicas: 2, env: { CORS_ORIGINS: 'https://app.example' } })
  user = await world.createUser()
  presentation = await user.generate()
})
afterEach(async () => {
  for (const socket of sockets.splice(0)) await socket.close()
  await world.expectNoLeaks()
})
afterAll(() => world.close())

const urlOf = (path: string, replica = 0) =>
  `${world.gateways[replica]?.url}/api/v1/realtime${path}`
const paths = () => [
  `/generation/${presentation.id}`,
  '/notifications',
  `/sse/generation/${presentation.id}`,
  '/sse/notifications',
]

/** The status, 101 for an upgrade. */
async function open(path: string, replica = 0, headers: Record<string, string> = {}) {
  if (path.startsWith('/sse')) {
    const reader = await openReader(urlOf(path, replica), {
      headers: { accept: '*/*', ...headers },
    })
    reader.close()
    return reader.status
  }
  const socket = await openSocket(urlOf(path, replica), { headers }).catch((error) => error)
  if (socket instanceof UpgradeRefused) return socket.response.status
  sockets.push(socket)
  return 101
}

const takeTicket = async () =>
  (await user.api('/realtime/ticket', { method: 'POST' })).body as {
    ticket: string
    expires_in: number
  }

test('a ticket opens any of the four routes once, over all replicas', async () => {
  for (const [index, path] of paths().entries()) {
    const { ticket, expires_in: seconds } = await takeTicket()
    expect(seconds).toBe(60)
    const isStream = path.startsWith('/sse')
    expect(await open(`${path}?ticket=${ticket}`, index % 2), path).toBe(isStream ? 200 : 101)
    for (const replica of [0, 1]) expect(await open(`${path}?ticket=${ticket}`, replica)).toBe(401)
  }
})

test('a ticket of a presentation opens no real-time connection, and the other way round', async () => {
  const { body } = await user.api(`/presentations/${presentation.id}/ticket`, { method: 'POST' })
  for (const path of paths()) expect(await open(`${path}?ticket=${body.ticket}`), path).toBe(401)
  const { ticket } = await takeTicket()
  const events = `/api/v1/presentations/${presentation.id}/events?ticket=${ticket}`
  expect((await fetch(`${world.url}${events}`)).status).toBe(401)
})

test('a JWT in the query opens nothing', async () => {
  for (const path of paths())
    for (const name of ['token', 'ticket', 'access_token', 'x'])
      expect(await open(`${path}?${name}=${user.token}`), path).toBe(401)
})

test('refuses what is no upgrade, has no credentials, comes from elsewhere or names no own presentation', async () => {
  const cookie = { cookie: `gateway_session=${user.token}`, origin: 'https://evil.example' }
  for (const path of paths().slice(0, 2)) {
    const plain = await fetch(urlOf(path))
    expect([plain.status, plain.headers.get('upgrade')], path).toEqual([426, 'websocket'])
    expect(await plain.json()).toMatchObject({ status: 426, code: 'UPGRADE_REQUIRED' })
    expect(await open(path)).toBe(401)
    expect(await open(path, 0, cookie)).toBe(403)
  }
  const other = await world.createUser()
  const authorization = `Bearer ${other.token}`
  for (const id of [presentation.id, '00000000-0000-4000-8000-000000000000', 'x'])
    for (const kind of ['', '/sse'])
      expect(await open(`${kind}/generation/${id}`, 0, { authorization }), id).toBe(404)
})

test('SSE accepts the cookie from an own or allowed origin, or from the same site', async () => {
  const cookie = `gateway_session=${user.token}`
  const accepted: Record<string, string>[] = [
    { 'sec-fetch-site': 'same-origin' },
    { origin: 'https://app.example' },
    { origin: `http://localhost:${new URL(world.url).port}` },
  ]
  const refused: Record<string, string>[] = [
    {},
    { 'sec-fetch-site': 'cross-site' },
    { origin: 'https://evil.example' },
    { origin: 'https://evil.example', 'sec-fetch-site': 'same-origin' },
  ]
  for (const path of paths().slice(2)) {
    for (const headers of accepted) expect(await open(path, 0, { cookie, ...headers })).toBe(200)
    for (const headers of refused) expect(await open(path, 0, { cookie, ...headers })).toBe(403)
  }
})

test('SSE connections count as streams; too many get only a retry', async () => {
  const limited = await world.openReplica({ MAX_STREAMS_PER_USER: '2' })
  const url = `${limited.url}/api/v1/realtime/sse/notifications`
  const readers = [
    await openReader(url, { token: user.token }),
    await openReader(url, { token: user.token }),
  ]
  for (const reader of readers) await reader.expectNext('connected')
  const third = await openReader(url, { token: user.token })
  expect([third.status, await third.rest()]).toEqual([200, []])
  expect(third.retry).toBeGreaterThan(0)
  const plain = await openReader(url, {
    token: user.token,
    headers: { accept: 'application/json' },
  })
  expect([plain.status, JSON.parse(await plain.body).code]).toEqual([429, 'TOO_MANY_STREAMS'])
  for (const reader of readers) reader.close()
  await world.closeReplica(limited)
})

test('ends an SSE connection with TOKEN_EXPIRED and a WebSocket with 4401 at the end of the token', async () => {
  const token = await world.sign({ sub: user.sub, expiresInSeconds: 3 })
  const reader = await openReader(urlOf('/sse/notifications'), { token })
  const socket = await openSocket(urlOf('/notifications'), { token })
  sockets.push(socket)
  expect((await reader.rest(60_000)).at(-1)?.data).toMatchObject({
    type: 'error',
    error_code: 'TOKEN_EXPIRED',
    details: {},
  })
  expect(await reader.ended).toBe('clean')
  expect((await socket.closed).code).toBe(4401)
})

test('a connection that a ticket opened ends with the token that the ticket was made with', async () => {
  world.presenton.gates.hold('slides:slide')
  const { id } = await user.submit()
  const token = await world.sign({ sub: user.sub, expiresInSeconds: 8 })
  const open = [
    `/generation/${id}`,
    '/notifications',
    `/sse/generation/${id}`,
    '/sse/notifications',
  ]
  const urls: string[] = []
  for (const path of open) {
    const { ticket } = (
      await user.api('/realtime/ticket', {
        method: 'POST',
        headers: { authorization: `Bearer ${token}` },
      })
    ).body
    urls.push(urlOf(`${path}?ticket=${ticket}`, 1))
  }
  const [progress, notified] = await Promise.all(urls.slice(0, 2).map((url) => openSocket(url)))
  const readers = await Promise.all(urls.slice(2).map((url) => openReader(url)))
  const expired = { type: 'error', error_code: 'TOKEN_EXPIRED', details: {} }
  for (const socket of [progress, notified]) {
    if (!socket) throw new Error('no socket was opened')
    sockets.push(socket)
    expect((await socket.until(({ type }) => type === 'error', 60_000)).at(-1)).toMatchObject(
      expired,
    )
    expect((await socket.closed).code).toBe(4401)
  }
  for (const reader of readers) {
    expect((await reader.rest(60_000)).at(-1)?.data).toMatchObject(expired)
    expect(await reader.ended).toBe('clean')
  }
})

test('the example for a browser follows a run', async () => {
  const example = readBlocks('docs/events.md').find(
    ({ section, language }) => section === 'Real-time connections' && language === 'js',
  )
  const { origin } = new URL(world.url)
  const cookie = `gateway_session=${user.token}`
  const { WebSocket } = await import('ws')
  class BrowserSocket extends WebSocket {
    constructor(url: string) {
      super(url, { headers: { cookie, origin: `http://localhost:${new URL(world.url).port}` } })
      opened = this
    }
  }
  let opened: InstanceType<typeof WebSocket> | undefined
  const shown: { status: string }[] = []
  const names = ['WebSocket', 'location', 'id', 'showProgress', 'showEnd']
  const ended = new Promise<number>((resolve) => {
    const show = (progress: { status: string }) => {
      shown.push(progress)
      opened?.close(1000)
    }
    const run = new Function(...names, example?.code ?? '')
    run(BrowserSocket, { origin }, presentation.id, show, resolve)
  })
  expect(await ended).toBe(1000)
  expect(shown[0]).toMatchObject({ status: 'completed' })
})

test('every client message of the documentation is understood', async () => {
  const blocks = readBlocks('docs/events.md').filter(({ section }) =>
    section.startsWith('message: '),
  )
  const generation = await openSocket(urlOf(`/generation/${presentation.id}`), {
    token: user.token,
  })
  const notifications = await openSocket(urlOf('/notifications'), { token: user.token })
  sockets.push(generation, notifications)
  await generation.until(({ type }) => type === 'job_progress')
  await notifications.expectNext('connected')
  const ofClient = blocks
    .map(({ code }) => JSON.parse(code))
    .filter(({ timestamp }) => timestamp === undefined)
  expect(ofClient).toHaveLength(6)
  for (const message of ofClient) {
    const socket = message.type.endsWith('_job') ? generation : notifications
    socket.send({ ...message, request_id: message.type })
    const read = await socket.until(({ request_id: id }) => id === message.type)
    // The ids of the examples exist nowhere.
    expect(read.at(-1).error_code ?? 'NOT_FOUND', message.type).toBe('NOT_FOUND')
  }
})
