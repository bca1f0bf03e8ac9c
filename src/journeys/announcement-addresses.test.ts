// Which addresses an announcement may lead to, and what it is where the operator says nothing.

import { afterAll, beforeAll, expect, test } from 'vitest'
import { findFreePort } from '../sandbox/ports.ts'
import { openWorld, type World } from './world.ts'

let world: World
let opsUrl: string
beforeAll(async () => {
  const port = await findFreePort()
  opsUrl = `http://127.0.0.1:${port}`
  world = await openWorld({ env: { OPS_PORT: String(port) } })
})
afterAll(() => world.close())

const given = { title: 'Maintenance', message: 'Tonight at ten.', notification_type: 'info' }

const announce = (body: unknown) =>
  fetch(`${opsUrl}/notifications`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })

test('is normal, of the system, and leads nowhere, unless the operator says more', async () => {
  const plain = await announce(given)
  expect(plain.status).toBe(201)
  expect(await plain.json()).toEqual({
    ...given,
    ...{ id: expect.any(String), channel: 'general', timestamp: expect.any(String) },
    ...{ priority: 'normal', category: 'system', action_url: null, action_text: null },
  })
  const more = { priority: 'high', category: 'releases', action_url: '/news', action_text: 'Read' }
  const full = await announce({ ...given, ...more })
  expect(await full.json()).toMatchObject({ ...given, ...more })
})

test.each([
  ['/', 201],
  ['/status?day=1#now', 201],
  ['https://app.example/a?b=c', 201],
  ['HTTPS://app.example', 201],
  ['https://user@app.example', 201],
  ['http://app.example', 400],
  ['https:///app.example', 400],
  ['https://', 400],
  ['https://app.example\\@evil.example', 400],
  ['https://[::1', 400],
  ['https://app.example/a b', 400],
  ['//evil.example', 400],
  ['/\\evil.example', 400],
  ['/a\nb', 400],
  ['javascript:alert(1)', 400],
])('an address of %j gets %i', async (url, status) => {
  const response = await announce({ ...given, action_url: url })
  const body = (await response.json()) as Record<string, unknown>
  expect({ status: response.status, body }).toMatchObject(
    status === 201
      ? { status, body: { action_url: url } }
      : { status, body: { code: 'VALIDATION_FAILED' } },
  )
})
