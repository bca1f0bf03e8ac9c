// The finished file: byte for byte what upstream made, under a link that works without credentials
// and cannot be bent.

import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { User } from './user.ts'
import { brief } from './user.ts'
import { openWorld, type World } from './world.ts'

const types = {
  pptx: 'application/vnd.openxmlformats-officedocument.presentationml.presentation',
  pdf: 'application/pdf',
}

let world: World
let user: User
beforeAll(async () => {
  world = await openWorld({ shape: 'A1' })
  user = await world.createUser()
})
afterEach(() => world.expectNoLeaks())
afterAll(() => world.close())

const json = { accept: 'application/json' }

/** The file as upstream wrote it. */
async function upstreamFile(presentation: Record<string, unknown>): Promise<Buffer> {
  const made =
    world.presenton.decks.get(presentation.presenton_presentation_id as string)?.exports ?? []
  expect(made).toMatchObject([{ whole: true }])
  return readFile(made[0]!.file)
}

test.each(['pptx', 'pdf'] as const)(
  'the downloaded %s is byte for byte what upstream made',
  async (format) => {
    const made = await user.generate({ ...brief, export_as: format, title: 'Büro: "Q1" / 结果 🚀' })
    const original = await upstreamFile(made)
    const sha256 = createHash('sha256').update(original).digest('hex')
    expect(made.files).toMatchObject([
      { format, size_bytes: original.length, sha256, content_type: types[format] },
    ])

    const asked = Date.now()
    const answer = await user.api(`/presentations/${made.id}/download`, { headers: json })
    expect(answer).toMatchObject({ status: 200 })
    const { url, expires_at, file_name } = answer.body
    expect(answer.body).toEqual({
      url,
      expires_at,
      file_name,
      content_type: types[format],
      size_bytes: original.length,
      sha256,
    })
    expect(file_name).toMatch(new RegExp(`^Büro.*Q1.*结果 🚀\\.${format}$`))
    expect(file_name).not.toMatch(/[/"\\]/)
    const lifeMs = Date.parse(expires_at) - asked
    expect(lifeMs).toBeGreaterThan(890_000)
    expect(lifeMs).toBeLessThan(910_000)

    const file = await fetch(url)
    expect(file.status).toBe(200)
    expect(file.headers.get('content-type')).toBe(types[format])
    expect(file.headers.get('content-length')).toBe(String(original.length))
    const disposition = file.headers.get('content-disposition') ?? ''
    expect(disposition).toMatch(
      /^attachment; filename="[\x20-\x7e]+"; filename\*=UTF-8''[\w!#$&+\-.^`|~%]+$/,
    )
    expect(decodeURIComponent(disposition.replace(/^.*''/, ''))).toBe(file_name)
    expect(Buffer.from(await file.arrayBuffer()).equals(original)).toBe(true)
  },
)

test('browsers are redirected, and only who asks for JSON by name gets JSON', async () => {
  const { id } = await user.generate()
  for (const accept of ['*/*', 'text/html,application/xhtml+xml,*/*;q=0.8']) {
    const answer = await user.api(`/presentations/${id}/download`, { headers: { accept } })
    expect(answer).toMatchObject({ status: 302, body: '' })
    const file = await fetch(answer.headers.get('location')!)
    expect(file.status).toBe(200)
    expect(
      Buffer.from(await file.arrayBuffer())
        .subarray(0, 2)
        .toString(),
    ).toBe('PK')
  }
})

test('a format that was not made, and a deck that is not done, are not ready; a format that is none is refused', async () => {
  const { id } = await user.generate()
  const download = `/presentations/${id}/download`
  expect(await user.api(`${download}?format=pptx`, { headers: json })).toMatchObject({
    status: 200,
  })
  expect(await user.api(`${download}?format=pdf`)).toMatchObject({
    status: 409,
    body: { code: 'NOT_READY' },
  })
  const refused = await user.api(`${download}?format=docx`)
  expect(refused).toMatchObject({
    status: 400,
    body: { code: 'VALIDATION_FAILED', errors: [{ path: 'format' }] },
  })

  world.presenton.gates.hold('create')
  const early = await user.submit()
  expect(await user.api(`/presentations/${early.id}/download`)).toMatchObject({
    status: 409,
    body: { code: 'NOT_READY' },
  })
  world.presenton.gates.release('create')
  await user.waitUntilSettled(early.id)
})

test('a link that was bent, unsigned, used for writing, or that is too old opens nothing', async () => {
  const { id } = await user.generate()
  const { body } = await user.api(`/presentations/${id}/download`, { headers: json })
  const refusedStatus = async (change: (url: URL) => void, init?: RequestInit) => {
    const url = new URL(body.url)
    change(url)
    return (await fetch(url, init)).status
  }
  expect(await refusedStatus((url) => url.searchParams.set('X-Amz-Expires', '604800'))).toBe(403)
  expect(await refusedStatus((url) => url.searchParams.delete('X-Amz-Signature'))).toBe(403)
  expect(
    await refusedStatus((url) => url.searchParams.set('response-content-type', 'text/html')),
  ).toBe(403)
  expect(await refusedStatus((url) => Object.assign(url, { search: '' }))).toBe(403)
  expect(
    await refusedStatus((url) =>
      Object.assign(url, { pathname: url.pathname.replace(/[^/]+$/, 'other.pptx') }),
    ),
  ).toBe(403)
  expect(await refusedStatus(() => undefined, { method: 'DELETE' })).toBe(403)
  expect(await refusedStatus(() => undefined, { method: 'PUT', body: 'other bytes' })).toBe(403)
  expect((await fetch(body.url)).status).toBe(200)
})

test('a link ends when it said it would', async () => {
  const replica = await world.openReplica({ DOWNLOAD_LINK_SECONDS: '1' })
  const { id } = await user.generate()
  const { body } = await user.api(`/presentations/${id}/download`, {
    headers: json,
    baseUrl: replica.url,
  })
  const isOver = async () => {
    const { status } = await fetch(body.url)
    return status === 403
  }
  await expect.poll(isOver, { timeout: 5_000, interval: 100 }).toBe(true)
  expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(body.expires_at))
  await world.closeReplica(replica)
})

test('objects are named by user and presentation, and two decks of one title have two files', async () => {
  const [one, other] = await Promise.all([
    user.generate({ ...brief, title: 'Same' }),
    user.generate({ ...brief, n_slides: 5, title: 'Same' }),
  ])
  const urls = await Promise.all(
    [one, other].map(async ({ id }) => {
      const { body } = await user.api(`/presentations/${id}/download`, { headers: json })
      expect(body.file_name).toBe('Same.pptx')
      expect(new URL(body.url).pathname).toBe(`/presentations/presentations/${user.sub}/${id}.pptx`)
      return body.url as string
    }),
  )
  const files = await Promise.all(
    urls.map(async (url) => Buffer.from(await (await fetch(url)).arrayBuffer())),
  )
  expect(files[0]!.equals(await upstreamFile(one))).toBe(true)
  expect(files[1]!.equals(await upstreamFile(other))).toBe(true)
})
