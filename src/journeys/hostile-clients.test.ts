// Hostile clients on raw sockets: malformed, smuggled, endless and too many requests. The gateway
// refuses them with problem documents and keeps serving legitimate users.

import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { type MalformedRequest, malformedRequests } from './malformed-requests.ts'
import { listRoutes, readOpenApi } from './openapi-routes.ts'
import {
  expectProblem,
  expectSecurityHeaders,
  type HeaderValues,
  securityHeaders,
} from './response-checks.ts'
import type { Presentation, User } from './user.ts'
import { openWorld, type World } from './world.ts'

let world: World
let user: User
let presentation: Presentation
beforeAll(async () => {
  world = await openWorld({ env: { WORKER: 'false' } })
  user = await world.createUser()
  presentation = await user.submit()
})
afterEach(() => world.expectNoLeaks())
afterAll(() => world.close())

const fill = (text: string) =>
  text
    .replaceAll('{id}', presentation.id)
    .replaceAll('{auth}', `Authorization: Bearer ${user.token}\r\n`)

/** Writes the bytes and reads until the gateway closes the connection. Ignores write errors. */
function exchange(bytes: string): Promise<string> {
  const { hostname, port } = new URL(world.url)
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname, () => socket.write(Buffer.from(bytes, 'latin1')))
    let received = ''
    socket.setEncoding('latin1').on('data', (data: string) => {
      received += data
    })
    socket.on('error', () => undefined)
    socket.once('close', () => resolve(received))
    socket.setTimeout(15_000, () => socket.destroy())
  })
}

interface ParsedResponse {
  status: number
  headers: HeaderValues
  text: string
}

/** Splits the bytes of a connection into responses, by their Content-Length. */
function parseResponses(raw: string): ParsedResponse[] {
  const responses: ParsedResponse[] = []
  let rest = raw
  while (rest !== '') {
    const [head = ''] = rest.split('\r\n\r\n', 1)
    const [, status = ''] = /^HTTP\/1\.1 (\d{3})/.exec(head) ?? []
    if (status === '') throw new Error(`not a response: ${rest.slice(0, 200)}`)
    const pairs = head
      .split('\r\n')
      .slice(1)
      .map((line) => [
        line.slice(0, line.indexOf(':')).toLowerCase(),
        line.slice(line.indexOf(':') + 1).trim(),
      ])
    const headers = Object.fromEntries(pairs) as HeaderValues
    const length = Number(headers['content-length'] ?? 0)
    const text = Buffer.from(
      rest.slice(head.length + 4, head.length + 4 + length),
      'latin1',
    ).toString()
    responses.push({ status: Number(status), headers, text })
    rest = rest.slice(head.length + 4 + length)
  }
  return responses
}

const rowCount = async () => (await world.query('select id from gateway.presentations')).length

test.each<MalformedRequest>(malformedRequests)(
  'returns the expected status for $name',
  async ({ name, bytes, statuses }) => {
    const responses = parseResponses(await exchange(fill(bytes)))
    expect(
      responses.map(({ status }) => status),
      `${name}: one response for each request`,
    ).toHaveLength(statuses.length)
    for (const [i, response] of responses.entries()) {
      const expected = statuses[i] ?? []
      if (response.status >= 400) expectProblem(response, expected, name)
      else expect([expected].flat(), name).toContain(response.status)
      expectSecurityHeaders(response.headers, name)
      expect(response.text).not.toContain('smuggled')
    }
  },
)

test('malformed requests created nothing, and the gateway is ready', async () => {
  expect(await rowCount()).toBe(1)
  expect((await fetch(`${world.url}/health/ready`)).status).toBe(200)
  expect(({} as { isAdmin?: boolean }).isAdmin).toBeUndefined()
})

test('every response has the security headers', async () => {
  const seenStatuses = new Set<number>()
  async function check(what: string, response: Response, hasOwnPolicy = false) {
    expectSecurityHeaders(Object.fromEntries(response.headers), what, { hasOwnPolicy })
    await response.body?.cancel()
    seenStatuses.add(response.status)
  }
  const authorization = `Bearer ${user.token}`
  for (const { method, path } of listRoutes(await readOpenApi(world.url)).filter(
    (route) => route.method === 'GET',
  )) {
    const url = `${world.url}${path.replace(/\{[^}]*\}/, presentation.id)}`
    await check(
      `${method} ${path}`,
      await fetch(url, { headers: { authorization }, redirect: 'manual' }),
    )
  }
  const session = await fetch(`${world.url}/api/v1/session`, {
    method: 'POST',
    headers: { authorization },
  })
  await check('a session', session)
  await check('an unknown path', await fetch(`${world.url}/nothing`))
  await check('a wrong method', await fetch(`${world.url}/health`, { method: 'DELETE' }))
  await check('a malformed path', await fetch(`${world.url}/%zz`))
  for (const path of [
    '/docs',
    '/docs/',
    '/docs/static/index.html',
    '/docs/static/swagger-ui.css',
    '/docs/json',
    '/docs/nothing',
  ]) {
    await check(path, await fetch(`${world.url}${path}`, { redirect: 'manual' }), true)
  }
  expect(seenStatuses.size).toBeGreaterThan(4)
  expect(Object.keys(securityHeaders).length).toBeGreaterThan(8)
})

/**
 * Opens connections, writes the bytes to each and keeps it open. With `expectsResponse`, it waits
 * for the first bytes of a response on each.
 */
async function openConnections(
  count: number,
  bytes: string,
  { url = world.url, expectsResponse = false } = {},
): Promise<Socket[]> {
  const { hostname, port } = new URL(url)
  const sockets: Socket[] = []
  for (let i = 0; i < count; i += 100) {
    const opened = Array.from({ length: Math.min(100, count - i) }, () => {
      const socket = connect(Number(port), hostname)
      socket.on('error', () => undefined)
      return new Promise<Socket>((resolve, reject) => {
        if (expectsResponse) socket.once('data', () => resolve(socket))
        socket.once('connect', () =>
          bytes === ''
            ? resolve(socket)
            : socket.write(bytes, () => expectsResponse || resolve(socket)),
        )
        socket.once('close', () => reject(new Error('a connection was refused')))
      })
    })
    sockets.push(...(await Promise.all(opened)))
  }
  return sockets
}

/** Reads a presentation and returns the duration in milliseconds. */
const timeRead = async () => {
  const startedMs = performance.now()
  const { status } = await user.api(`/presentations/${presentation.id}`)
  expect(status).toBe(200)
  return performance.now() - startedMs
}

test.each<[what: string, count: number, bytes: string]>([
  ['unfinished headers', 500, 'GET /health HTTP/1.1\r\nHost: x\r\nX-A: b\r\n'],
  [
    'unfinished bodies',
    300,
    `POST /api/v1/presentations HTTP/1.1\r\nHost: x\r\n{auth}Content-Type: application/json\r\nContent-Length: 8000000\r\n\r\n{`,
  ],
  [
    'unfinished anonymous bodies',
    300,
    'POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 8000000\r\n\r\n{',
  ],
])('serves users while many connections have %s', async (_what, count, bytes) => {
  const sockets = await openConnections(count, fill(bytes))
  try {
    const durationsMs = []
    for (let i = 0; i < 20; i++) durationsMs.push(await timeRead())
    expect(durationsMs.sort((a, b) => a - b)[10]).toBeLessThan(5_000)
  } finally {
    for (const socket of sockets) socket.destroy()
  }
})

// The gateway runs in a process of its own, because each side needs the sockets that one process
// may open.
test.each<[what: string, bytes: string]>([
  ['silent', ''],
  ['idle keep-alive', 'GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n'],
])(
  'serves users beside ten thousand %s connections',
  { timeout: 120_000 },
  async (_what, bytes) => {
    const gateway = await world.spawnReplica({ WORKER: 'false', MAX_STREAMS: '100' })
    const sockets = await openConnections(connectionCount(), bytes, {
      url: gateway.url,
      expectsResponse: bytes !== '',
    })
    try {
      const headers = { authorization: `Bearer ${user.token}` }
      for (let i = 0; i < 20; i++) {
        const response = await fetch(`${gateway.url}/api/v1/presentations/${presentation.id}`, {
          headers,
        })
        expect(response.status).toBe(200)
        await response.arrayBuffer()
      }
    } finally {
      for (const socket of sockets) socket.destroy()
      await gateway.kill()
    }
  },
)

/** Ten thousand, or half of what the process may open. */
function connectionCount(): number {
  try {
    const [, limit] = /Max open files\s+(\d+)/.exec(readFileSync('/proc/self/limits', 'utf8')) ?? []
    return Math.min(10_000, Math.floor(Number(limit) / 2))
  } catch {
    return 2_000
  }
}

test('serves users during a flood of invalid requests', async () => {
  const flood = [
    '{',
    `{"content":${'['.repeat(100_000)}`,
    JSON.stringify({ content: 'x', n_slides: 'x'.repeat(500_000) }),
  ]
  let isOver = false
  const signedInAttackers = Array.from({ length: 8 }, async (_, i) => {
    while (!isOver)
      await user.post(flood[i % flood.length] as unknown as object).catch(() => undefined)
  })
  const anonymousAttackers = Array.from({ length: 8 }, async () => {
    while (!isOver)
      await fetch(`${world.url}/${'aa://'.repeat(4_000)}`).then(
        (response) => response.arrayBuffer(),
        () => undefined,
      )
  })
  const durationsMs = []
  for (let i = 0; i < 20; i++) durationsMs.push(await timeRead())
  isOver = true
  await Promise.all([...signedInAttackers, ...anonymousAttackers])
  expect(durationsMs.sort((a, b) => a - b)[10]).toBeLessThan(10_000)
})
