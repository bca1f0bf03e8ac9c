// Downloads: the file is byte for byte what upstream exported, and the download link works without
// credentials but cannot be changed.

import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { brief, type User } from './user.ts'
import { openWorld, type World } from './world.ts'

const contentTypes = {
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

const acceptJson = { accept: 'application/json' }

/** The file that upstream exported for this presentation. */
async function readExportedFile(presentation: Record<string, unknown>): Promise<Buffer> {
  const exports =
    world.presenton.decks.get(presentation.presenton_presentation_id as string)?.exports ?? []
  expect(exports).toMatchObject([{ isComplete: true }])
  return readFile(exports[0]!.file)
}

test.each(['pptx', 'pdf'] as const)(
  'a downloaded %s is byte for byte what upstream exported',
  async (format) => {
    const presentation = await user.generate({
      ...brief,
      export_as: format,
      title: 'Büro: "Q1" / 结果 🚀',
    })
    const original = await readExportedFile(presentation)
    const sha256 = createHash('sha256').update(original).digest('hex')
    expect(presentation.files).toMatchObject([
      { format, size_bytes: original.length, sha256, content_type: contentTypes[format] },
    ])

    const requestedMs = Date.now()
    const response = await user.api(`/presentations/${presentation.id}/download`, {
      headers: acceptJson,
    })
    expect(response).toMatchObject({ status: 200 })
    const { url, expires_at, file_name } = response.body
    expect(response.body).toEqual({
      url,
      expires_at,
      file_name,
      content_type: contentTypes[format],
      size_bytes: original.length,
      sha256,
    })
    expect(file_name).toMatch(new RegExp(`^Büro.*Q1.*结果 🚀\\.${format}$`))
    expect(file_name).not.toMatch(/[/"\\]/)
    const validMs = Date.parse(expires_at) - requestedMs
    expect(validMs).toBeGreaterThan(890_000)
    expect(validMs).toBeLessThan(910_000)

    const file = await fetch(url)
    expect(file.status).toBe(200)
    expect(file.headers.get('content-type')).toBe(contentTypes[format])
    expect(file.headers.get('content-length')).toBe(String(original.length))
    const disposition = file.headers.get('content-disposition') ?? ''
    expect(disposition).toMatch(
      /^attachment; filename="[\x20-\x7e]+"; filename\*=UTF-8''[\w!#$&+\-.^`|~%]+$/,
    )
    expect(decodeURIComponent(disposition.replace(/^.*''/, ''))).toBe(file_name)
    expect(Buffer.from(await file.arrayBuffer()).equals(original)).toBe(true)
  },
)

test('redirects browsers to the file, and returns JSON only for Accept: application/json', async () => {
  const { id } = await user.generate()
  for (const accept of ['*/*', 'text/html,application/xhtml+xml,*/*;q=0.8']) {
    const response = await user.api(`/presentations/${id}/download`, { headers: { accept } })
    expect(response).toMatchObject({ status: 302, body: '' })
    const file = await fetch(response.headers.get('location')!)
    expect(file.status).toBe(200)
    expect(
      Buffer.from(await file.arrayBuffer())
        .subarray(0, 2)
        .toString(),
    ).toBe('PK')
  }
})

test('returns 409 for a format that was not exported and for an unfinished run, and 400 for an unknown format', async () => {
  const { id } = await user.generate()
  const download = `/presentations/${id}/download`
  expect(await user.api(`${download}?format=pptx`, { headers: acceptJson })).toMatchObject({
    status: 200,
  })
  expect(await user.api(`${download}?format=pdf`)).toMatchObject({
    status: 409,
    body: { code: 'NOT_READY' },
  })
  const unknownFormat = await user.api(`${download}?format=docx`)
  expect(unknownFormat).toMatchObject({
    status: 400,
    body: { code: 'VALIDATION_FAILED', errors: [{ path: 'format' }] },
  })

  world.presenton.gates.hold('create')
  const unfinished = await user.submit()
  expect(await user.api(`/presentations/${unfinished.id}/download`)).toMatchObject({
    status: 409,
    body: { code: 'NOT_READY' },
  })
  world.presenton.gates.release('create')
  await user.waitUntilSettled(unfinished.id)
})

test('the store returns 403 for a changed or unsigned link, and for writes with a valid link', async () => {
  const { id } = await user.generate()
  const { body } = await user.api(`/presentations/${id}/download`, { headers: acceptJson })
  const statusAfter = async (change: (url: URL) => void, init?: RequestInit) => {
    const url = new URL(body.url)
    change(url)
    return (await fetch(url, init)).status
  }
  expect(await statusAfter((url) => url.searchParams.set('X-Amz-Expires', '604800'))).toBe(403)
  expect(await statusAfter((url) => url.searchParams.delete('X-Amz-Signature'))).toBe(403)
  expect(
    await statusAfter((url) => url.searchParams.set('response-content-type', 'text/html')),
  ).toBe(403)
  expect(await statusAfter((url) => Object.assign(url, { search: '' }))).toBe(403)
  expect(
    await statusAfter((url) =>
      Object.assign(url, { pathname: url.pathname.replace(/[^/]+$/, 'other.pptx') }),
    ),
  ).toBe(403)
  expect(await statusAfter(() => undefined, { method: 'DELETE' })).toBe(403)
  expect(await statusAfter(() => undefined, { method: 'PUT', body: 'other bytes' })).toBe(403)
  expect((await fetch(body.url)).status).toBe(200)
})

test('a link expires at expires_at', async () => {
  const replica = await world.openReplica({ DOWNLOAD_LINK_SECONDS: '1' })
  const { id } = await user.generate()
  const { body } = await user.api(`/presentations/${id}/download`, {
    headers: acceptJson,
    baseUrl: replica.url,
  })
  const isExpired = async () => {
    const { status } = await fetch(body.url)
    return status === 403
  }
  await expect.poll(isExpired, { timeout: 30_000, interval: 100 }).toBe(true)
  expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(body.expires_at))
  await world.closeReplica(replica)
})

test('object keys hold user and presentation, so two decks with one title have two files', async () => {
  const [first, second] = await Promise.all([
    user.generate({ ...brief, title: 'Same' }),
    user.generate({ ...brief, n_slides: 5, title: 'Same' }),
  ])
  const urls = await Promise.all(
    [first, second].map(async ({ id }) => {
      const { body } = await user.api(`/presentations/${id}/download`, { headers: acceptJson })
      expect(body.file_name).toBe('Same.pptx')
      expect(new URL(body.url).pathname).toBe(`/presentations/presentations/${user.sub}/${id}.pptx`)
      return body.url as string
    }),
  )
  const files = await Promise.all(
    urls.map(async (url) => Buffer.from(await (await fetch(url)).arrayBuffer())),
  )
  expect(files[0]!.equals(await readExportedFile(first))).toBe(true)
  expect(files[1]!.equals(await readExportedFile(second))).toBe(true)
})
