// What hurts: requests that are broken, smuggled, endless or too many, over sockets. They are
// refused with problem documents, at little cost, and who asks honestly beside them is answered.

import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { expectHardened, expectProblem, type HeaderValues, hardened } from './attack-shape.ts'
import { readDescription, routesOf } from './described-routes.ts'
import { type MalformedRequest, malformedRequests } from './malformed-requests.ts'
import type { Presentation, User } from './user.ts'
import { openWorld, type World } from './world.ts'

let world: World
let user: User
let made: Presentation
beforeAll(async () => {
  world = await openWorld({ env: { WORKER: 'false' } })
  user = await world.user()
  made = await user.accept()
})
afterEach(() => world.expectNothingLeft())
afterAll(() => world.close())

const fill = (text: string) =>
  text.replaceAll('{id}', made.id).replaceAll('{auth}', `Authorization: Bearer ${user.token}\r\n`)

/**
 * Writes the bytes and reads until the other side closes; what is still to be written then is let
 * go.
 */
function exchange(bytes: string): Promise<string> {
  const { hostname, port } = new URL(world.url)
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname, () => socket.write(Buffer.from(bytes, 'latin1')))
    let answer = ''
    socket.setEncoding('latin1').on('data', (data: string) => {
      answer += data
    })
    socket.on('error', () => undefined)
    socket.once('close', () => resolve(answer))
    socket.setTimeout(15_000, () => socket.destroy())
  })
}

interface Parsed {
  status: number
  headers: HeaderValues
  text: string
}

/** The answers of one connection, by their own lengths. */
function parseAnswers(raw: string): Parsed[] {
  const answers: Parsed[] = []
  let rest = raw
  while (rest !== '') {
    const [head = ''] = rest.split('\r\n\r\n', 1)
    const [, status = ''] = /^HTTP\/1\.1 (\d{3})/.exec(head) ?? []
    if (status === '') throw new Error(`no answer: ${rest.slice(0, 200)}`)
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
    answers.push({ status: Number(status), headers, text })
    rest = rest.slice(head.length + 4 + length)
  }
  return answers
}

const rowCount = async () => (await world.query('select id from gateway.presentations')).length

test.each<MalformedRequest>(malformedRequests)(
  'answered as what it is: $name',
  async ({ name, bytes, answers }) => {
    const parsed = parseAnswers(await exchange(fill(bytes)))
    expect(
      parsed.map(({ status }) => status),
      `${name}: one answer for each request`,
    ).toHaveLength(answers.length)
    for (const [i, answer] of parsed.entries()) {
      const expected = answers[i] ?? []
      if (answer.status >= 400) expectProblem(answer, expected, name)
      else expect([expected].flat(), name).toContain(answer.status)
      expectHardened(answer.headers, name)
      expect(answer.text).not.toContain('smuggled')
    }
  },
)

test('none of these has made anything, and the gateway is as well as before', async () => {
  expect(await rowCount()).toBe(1)
  expect((await fetch(`${world.url}/health/ready`)).status).toBe(200)
  expect(({} as { isAdmin?: boolean }).isAdmin).toBeUndefined()
})

test('every answer bears the same headers of protection, of whatever kind it is', async () => {
  const seen: string[] = []
  async function look(what: string, answer: Response, ownPolicy = false) {
    expectHardened(Object.fromEntries(answer.headers), what, { ownPolicy })
    await answer.body?.cancel()
    seen.push(`${answer.status}`)
  }
  const authorization = `Bearer ${user.token}`
  for (const { method, path } of routesOf(await readDescription(world.url)).filter(
    (route) => route.method === 'GET',
  )) {
    const url = `${world.url}${path.replace(/\{[^}]*\}/, made.id)}`
    await look(
      `${method} ${path}`,
      await fetch(url, { headers: { authorization }, redirect: 'manual' }),
    )
  }
  const session = await fetch(`${world.url}/api/v1/session`, {
    method: 'POST',
    headers: { authorization },
  })
  await look('a session', session)
  await look('nothing', await fetch(`${world.url}/nothing`))
  await look('a wrong method', await fetch(`${world.url}/health`, { method: 'DELETE' }))
  await look('a bad path', await fetch(`${world.url}/%zz`))
  for (const path of [
    '/docs',
    '/docs/',
    '/docs/static/index.html',
    '/docs/static/swagger-ui.css',
    '/docs/json',
    '/docs/nothing',
  ]) {
    await look(path, await fetch(`${world.url}${path}`, { redirect: 'manual' }), true)
  }
  expect(new Set(seen).size).toBeGreaterThan(4)
  expect(Object.keys(hardened).length).toBeGreaterThan(8)
})

/**
 * Connections that begin something and leave it at that; with `isAnswered`, they wait for an answer
 * to it.
 */
async function hold(
  count: number,
  bytes: string,
  { url = world.url, isAnswered = false } = {},
): Promise<Socket[]> {
  const { hostname, port } = new URL(url)
  const sockets: Socket[] = []
  for (let i = 0; i < count; i += 100) {
    const opened = Array.from({ length: Math.min(100, count - i) }, () => {
      const socket = connect(Number(port), hostname)
      socket.on('error', () => undefined)
      return new Promise<Socket>((resolve, reject) => {
        if (isAnswered) socket.once('data', () => resolve(socket))
        socket.once('connect', () =>
          bytes === '' ? resolve(socket) : socket.write(bytes, () => isAnswered || resolve(socket)),
        )
        socket.once('close', () => reject(new Error('a connection was refused')))
      })
    })
    sockets.push(...(await Promise.all(opened)))
  }
  return sockets
}

const honest = async () => {
  const begun = performance.now()
  const { status } = await user.api(`/presentations/${made.id}`)
  expect(status).toBe(200)
  return performance.now() - begun
}

test.each<[what: string, count: number, bytes: string]>([
  ['heads that never end', 500, 'GET /health HTTP/1.1\r\nHost: x\r\nX-A: b\r\n'],
  [
    'bodies that never come',
    300,
    `POST /api/v1/presentations HTTP/1.1\r\nHost: x\r\n{auth}Content-Type: application/json\r\nContent-Length: 8000000\r\n\r\n{`,
  ],
  [
    'bodies of strangers that never come',
    300,
    'POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 8000000\r\n\r\n{',
  ],
])('beside many %s, who asks honestly is answered', async (_what, count, bytes) => {
  const sockets = await hold(count, fill(bytes))
  try {
    const times = []
    for (let i = 0; i < 20; i++) times.push(await honest())
    expect(times.sort((a, b) => a - b)[10]).toBeLessThan(500)
  } finally {
    for (const socket of sockets) socket.destroy()
  }
})

// The gateway in a process of its own, so that each side has as many sockets as one process may
// open.
test.each<[what: string, bytes: string]>([
  ['on which nothing comes', ''],
  ['kept for a next request', 'GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n'],
])(
  'beside ten thousand connections %s, who asks honestly is answered',
  { timeout: 90_000 },
  async (_what, bytes) => {
    const gateway = await world.spawnReplica({ WORKER: 'false', MAX_STREAMS: '100' })
    const sockets = await hold(manyConnections(), bytes, {
      url: gateway.url,
      isAnswered: bytes !== '',
    })
    try {
      const headers = { authorization: `Bearer ${user.token}` }
      for (let i = 0; i < 20; i++) {
        const answer = await fetch(`${gateway.url}/api/v1/presentations/${made.id}`, { headers })
        expect(answer.status).toBe(200)
        await answer.arrayBuffer()
      }
    } finally {
      for (const socket of sockets) socket.destroy()
      await gateway.kill()
    }
  },
)

/** Ten thousand, where a process may open so many. */
function manyConnections(): number {
  try {
    const [, limit] = /Max open files\s+(\d+)/.exec(readFileSync('/proc/self/limits', 'utf8')) ?? []
    return Math.min(10_000, Math.floor(Number(limit) / 2))
  } catch {
    return 2_000
  }
}

test('beside a flood of what is refused, who asks honestly is answered', async () => {
  const flood = [
    '{',
    `{"content":${'['.repeat(100_000)}`,
    JSON.stringify({ content: 'x', n_slides: 'x'.repeat(500_000) }),
  ]
  let isOver = false
  const attackers = Array.from({ length: 8 }, async (_, i) => {
    while (!isOver)
      await user.post(flood[i % flood.length] as unknown as object).catch(() => undefined)
  })
  const strangers = Array.from({ length: 8 }, async () => {
    while (!isOver)
      await fetch(`${world.url}/${'aa://'.repeat(4_000)}`).then(
        (answer) => answer.arrayBuffer(),
        () => undefined,
      )
  })
  const times = []
  for (let i = 0; i < 20; i++) times.push(await honest())
  isOver = true
  await Promise.all([...attackers, ...strangers])
  expect(times.sort((a, b) => a - b)[10]).toBeLessThan(2_000)
})
