// The read routes of presentations over sockets: the list and its cursor, one presentation, `wait`
// and download.

import { afterEach, expect, test } from 'vitest'
import {
  openTestServer,
  problemOf,
  rowId,
  sampleRow,
  type TestServer,
} from '../../app/test-server.ts'
import type { PresentationServices } from '../routes.ts'
import type { PresentationRow, StoredFile } from '../statements/queries.ts'

let server: TestServer
afterEach(() => server.close())

async function open(presentations: Partial<PresentationServices>, env?: Record<string, string>) {
  server = await openTestServer({ features: { presentations }, ...(env && { env }) })
}

type Query = Parameters<PresentationServices['listPresentations']>[0]

const base = '/api/v1/presentations'
const pptx: StoredFile = {
  format: 'pptx',
  objectKey: 'presentations/alice/x.pptx',
  sizeBytes: 12,
  sha256: 'ab',
  contentType: 'application/x-pptx',
  storedAt: '2026-11-20T10:05:00.5+00:00',
  revision: 1,
}
const pdf: StoredFile = {
  ...pptx,
  format: 'pdf',
  objectKey: 'presentations/alice/x.pdf',
  contentType: 'application/pdf',
}

test('the cursor of a page continues after its last row', async () => {
  const rows = Array.from({ length: 5 }, (_, i) =>
    sampleRow({
      id: rowId.replace('7b0c', `000${i}`),
      createdAt: new Date(Date.parse('2026-11-20T10:00:00.999Z') - i),
    }),
  )
  const queries: Query[] = []
  await open({
    async listPresentations(query) {
      queries.push(query)
      const start = query.after ? rows.findIndex(({ id }) => id === query.after?.id) + 1 : 0
      return rows.slice(start, start + query.limit)
    },
  })
  const ids: string[] = []
  let cursor: string | null = null
  do {
    const response: Response = await server.call(
      `${base}?limit=2&status=queued${cursor ? `&cursor=${cursor}` : ''}`,
    )
    const page = (await response.json()) as { items: { id: string }[]; next_cursor: string | null }
    ids.push(...page.items.map(({ id }) => id))
    cursor = page.next_cursor
  } while (cursor)
  expect(ids).toEqual(rows.map(({ id }) => id))
  expect(queries[1]).toEqual({
    userId: 'alice',
    status: 'queued',
    limit: 3,
    after: { createdAt: rows[1]?.createdAt, id: rows[1]?.id },
  })
  expect(queries).toHaveLength(3)
})

test('returns an empty page for a user without presentations', async () => {
  const queries: Query[] = []
  await open({
    async listPresentations(query) {
      queries.push(query)
      return []
    },
  })
  expect(await (await server.call(base)).json()).toEqual({ items: [], next_cursor: null })
  expect(queries).toEqual([{ userId: 'alice', status: undefined, limit: 21, after: undefined }])
})

test('returns 400 with the name of an invalid limit, status or cursor', async () => {
  await open({})
  const cursor = (text: string) => `cursor=${Buffer.from(text).toString('base64url')}`
  const cases: [string, string[]][] = [
    [
      'limit',
      [
        'limit=0',
        'limit=101',
        'limit=-1',
        'limit=1.5',
        'limit=',
        'limit=x',
        'limit=1e1',
        'limit=%201',
        'limit=1&limit=2',
        'limit=99999999999999999999',
      ],
    ],
    ['status', ['status=', 'status=done', 'status=Queued', 'status=queued&status=failed']],
    [
      'cursor',
      [
        'cursor=',
        'cursor=x',
        'cursor=%00',
        `cursor=${'x'.repeat(201)}`,
        cursor(rowId),
        cursor(`2026-11-20T10:00:00.000Z ${rowId}x`),
      ],
    ],
    [
      'cursor',
      [
        cursor(`2026-99-20T10:00:00.000Z ${rowId}`),
        cursor(`${' '.repeat(24)} ${rowId}`),
        `${cursor(`2026-11-20T10:00:00.000Z ${rowId}`)}=`,
      ],
    ],
  ]
  for (const [path, queries] of cases) {
    for (const query of queries) {
      const problem = await problemOf(await server.call(`${base}?${query}`))
      expect(
        { status: problem.status, paths: problem.errors?.map((error) => error.path) },
        query,
      ).toEqual({
        status: 400,
        paths: [path],
      })
    }
  }
})

test('returns a presentation to its owner, and the same 404 for a foreign and an unknown id', async () => {
  await open({
    findPresentation: async ({ userId, id }) =>
      userId === 'alice' && id === rowId ? sampleRow() : undefined,
  })
  expect(await (await server.call(`${base}/${rowId}`)).json()).toMatchObject({
    id: rowId,
    status: 'queued',
  })
  const foreign = await server.call(`${base}/${rowId}`, {
    headers: { authorization: `Bearer ${await server.token('bob')}` },
  })
  const unknown = await server.call(`${base}/${rowId.replace('7', '8')}`)
  const [ofForeign, ofUnknown] = [await problemOf(foreign), await problemOf(unknown)]
  expect({ ...ofForeign, instance: '', request_id: '' }).toEqual({
    ...ofUnknown,
    instance: '',
    request_id: '',
  })
  expect(ofForeign).toMatchObject({ status: 404, code: 'NOT_FOUND' })
})

test('returns files, times, error and download link of a finished presentation', async () => {
  const row = sampleRow({
    status: 'completed',
    title: 'Q3',
    progress: 1,
    files: [pptx],
    queuePosition: null,
    completedAt: new Date('2026-11-20T11:00:00Z'),
    error: { code: 'UPSTREAM_ERROR', detail: 'x', retryable: true },
  })
  await open({ findPresentation: async () => row }, { PUBLIC_URL: 'https://decks.example/gw/' })
  const body = (await (await server.call(`${base}/${rowId}`)).json()) as Record<string, unknown>
  const self = `https://decks.example/gw/api/v1/presentations/${rowId}`
  expect(body.links).toEqual({
    self,
    events: `${self}/events`,
    download: `${self}/download`,
    app: null,
    maker: null,
  })
  expect(body.files).toEqual([
    {
      format: 'pptx',
      size_bytes: 12,
      sha256: 'ab',
      content_type: 'application/x-pptx',
      stored_at: '2026-11-20T10:05:00.500Z',
      revision: 1,
      stale: false,
    },
  ])
  expect(body).toMatchObject({
    completed_at: '2026-11-20T11:00:00.000Z',
    error: { code: 'UPSTREAM_ERROR', detail: 'x', retryable: true },
  })
})

test('without PUBLIC_URL the links use the bound port', async () => {
  await open({ findPresentation: async () => sampleRow() })
  const body = (await (await server.call(`${base}/${rowId}`)).json()) as { links: { self: string } }
  expect(body.links.self).toBe(`http://localhost:${server.port}/api/v1/presentations/${rowId}`)
})

test('waits for the given seconds, from 30 on five less, and refuses other values', async () => {
  const waits: number[] = []
  await open({
    async waitUntilSettled({ timeoutMs }) {
      waits.push(timeoutMs)
      return sampleRow({ status: 'failed' })
    },
  })
  expect(await (await server.call(`${base}/${rowId}?wait=60`)).json()).toMatchObject({
    status: 'failed',
  })
  for (const wait of [1, 29, 30]) await server.call(`${base}/${rowId}?wait=${wait}`)
  expect(waits).toEqual([55_000, 1_000, 29_000, 25_000])
  for (const wait of ['0', '61', '-1', '1.5', '', 'x', '1&wait=2']) {
    expect((await server.call(`${base}/${rowId}?wait=${wait}`)).status, wait).toBe(400)
  }
})

test('a wait ends when the client disconnects, and returns at once when the service shuts down', async () => {
  const signals: AbortSignal[] = []
  const waitUntilSettled: PresentationServices['waitUntilSettled'] = ({ signal }) => {
    signals.push(signal)
    return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
  }
  await open({ waitUntilSettled, findPresentation: async () => sampleRow({ status: 'running' }) })
  const client = new AbortController()
  const disconnected = server
    .call(`${base}/${rowId}?wait=60`, { signal: client.signal })
    .catch(() => 'disconnected')
  await expect.poll(() => signals.length).toBe(1)
  client.abort()
  expect(await disconnected).toBe('disconnected')
  await expect.poll(() => signals[0]?.aborted).toBe(true)

  const waiting = server.call(`${base}/${rowId}?wait=60`)
  await expect.poll(() => signals.length).toBe(2)
  server.beginClosing()
  expect(await (await waiting).json()).toMatchObject({ status: 'running' })
})

function openDownload(row: PresentationRow | undefined) {
  return open({
    findPresentation: async () => row,
    presign: async ({ key, fileName, contentType }) => ({
      url: `https://objects.example/${key}?name=${encodeURIComponent(fileName)}&type=${encodeURIComponent(contentType)}`,
      expiresAt: new Date('2026-11-20T10:15:00Z'),
    }),
  })
}

test('a download returns a redirect, or JSON when the Accept header asks for it', async () => {
  await openDownload(sampleRow({ title: 'Über uns', files: [pptx] }))
  const url =
    'https://objects.example/presentations/alice/x.pptx?name=%C3%9Cber%20uns.pptx&type=application%2Fx-pptx'
  for (const accept of [
    '*/*',
    'text/html,application/xhtml+xml,*/*;q=0.8',
    'application/json;q=0',
    'application/jsonp',
  ]) {
    const response = await server.call(`${base}/${rowId}/download`, { headers: { accept } })
    expect([response.status, response.headers.get('location')], accept).toEqual([302, url])
    expect(response.headers.get('cache-control')).toBe('no-store')
  }
  for (const accept of [
    'application/json',
    'application/json, text/plain, */*',
    'text/html;q=0.1, application/JSON;q=0.5',
  ]) {
    const response = await server.call(`${base}/${rowId}/download`, { headers: { accept } })
    expect(response.status).toBe(200)
    expect(await response.json()).toEqual({
      url,
      expires_at: '2026-11-20T10:15:00.000Z',
      file_name: 'Über uns.pptx',
      content_type: 'application/x-pptx',
      size_bytes: 12,
      sha256: 'ab',
    })
  }
})

test("without a format, returns the brief's format, or another one that exists", async () => {
  const locationOf = async (query: string) =>
    new URL(
      (await server.call(`${base}/${rowId}/download${query}`)).headers.get('location') ?? 'x:',
    ).pathname
  await openDownload(sampleRow({ exportAs: 'pdf', files: [pptx, pdf] }))
  expect([await locationOf(''), await locationOf('?format=pptx')]).toEqual([
    `/${pdf.objectKey}`,
    `/${pptx.objectKey}`,
  ])
  await server.close()
  await openDownload(sampleRow({ exportAs: 'pdf', files: [pptx] }))
  expect(await locationOf('')).toBe(`/${pptx.objectKey}`)
  expect((await server.call(`${base}/${rowId}/download?format=pdf`)).status).toBe(409)
  expect((await server.call(`${base}/${rowId}/download?format=docx`)).status).toBe(400)
})

test('a download returns 409 without a file, and 404 without a presentation', async () => {
  await openDownload(sampleRow())
  expect(await problemOf(await server.call(`${base}/${rowId}/download`))).toMatchObject({
    status: 409,
    code: 'NOT_READY',
  })
  await server.close()
  await openDownload(undefined)
  expect(await problemOf(await server.call(`${base}/${rowId}/download`))).toMatchObject({
    status: 404,
    code: 'NOT_FOUND',
  })
})
