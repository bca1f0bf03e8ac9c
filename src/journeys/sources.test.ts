// Documents in: what is taken and what is refused, by content, and that a request is all or
// nothing.

import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  encryptedOffice,
  jpeg,
  officeOpenXml,
  oldWordDocument,
  openDocument,
  pdf,
  png,
  rtf,
  utf16,
  webp,
} from '../sandbox/documents.ts'
import { waitFor } from '../sandbox/wait-for.ts'
import { type UploadedFile, upload } from './uploads.ts'
import type { ApiResponse, User } from './user.ts'
import { openWorld, type World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await openWorld({ env: { MAX_SOURCE_MIB: '12', MAX_REQUEST_MIB: '30' } })
})
afterAll(() => world.close())

const send = (user: User, ...files: UploadedFile[]) => upload(user, world.url, files)
const sha256 = (content: Uint8Array | string) => createHash('sha256').update(content).digest('hex')

/** All keys of sources that the gateway has recorded, except of other users. */
async function keysOf({ sub }: User): Promise<string[]> {
  const rows = await world.query<{ object_key: string }>(
    'select object_key from gateway.uploads where object_key like $1',
    [`sources/${sub}/%`],
  )
  return rows.map(({ object_key }) => object_key)
}

const officeXml = 'application/vnd.openxmlformats-officedocument'
const opendocument = 'application/vnd.oasis.opendocument'

describe('the content decides the type', () => {
  test.for<[name: string, type: string, content: () => Promise<Buffer> | Buffer | string]>([
    ['a.pdf', 'application/pdf', () => pdf()],
    ['named-like-a-text.txt', 'application/pdf', () => pdf()],
    ['a.docx', `${officeXml}.wordprocessingml.document`, () => officeOpenXml('docx')],
    ['a.xlsx', `${officeXml}.spreadsheetml.sheet`, () => officeOpenXml('xlsx')],
    ['without-extension', `${officeXml}.presentationml.presentation`, () => officeOpenXml('pptx')],
    ['a.odt', `${opendocument}.text`, () => openDocument('text')],
    ['a.ods', `${opendocument}.spreadsheet`, () => openDocument('spreadsheet')],
    ['a.odp', `${opendocument}.presentation`, () => openDocument('presentation')],
    ['a.rtf', 'application/rtf', rtf],
    ['scan.png', 'image/png', png],
    ['a.jpeg', 'image/jpeg', jpeg],
    ['a.webp', 'image/webp', webp],
    ['notes.txt', 'text/plain', () => 'Größere Häfen'],
    ['README', 'text/plain', () => 'no extension'],
    ['notes.MD', 'text/markdown', () => '# Notes'],
    ['notes.markdown', 'text/markdown', () => '# Notes'],
    ['table.csv', 'text/csv', () => utf16('a,b\n1,2')],
    ['table.csv', 'text/csv', () => utf16('a,b\n1,2', { isBigEndian: true })],
    ['table.tsv', 'text/tab-separated-values', () => 'a\tb'],
    ['with-mark.bin', 'text/plain', () => '\ufeffmarked as text'],
    ['with-mark.pdf', 'text/plain', () => '\ufeff%PDF-1.4'],
    ['cars.txt', 'text/plain', () => 'BMW sold more cars'],
  ])('%s is %s', async ([name, content_type, content]) => {
    const user = await world.createUser()
    const bytes = Buffer.from(await content())
    const { status, body, headers } = await send(user, { name, content: bytes, type: 'image/gif' })
    expect({ status, body }).toMatchObject({ status: 201 })
    expect(body.items).toEqual([
      {
        id: expect.any(String),
        name,
        content_type,
        size_bytes: bytes.length,
        sha256: sha256(bytes),
        created_at: expect.any(String),
        links: {
          self: expect.stringContaining(`/api/v1/sources/${body.items[0].id}`),
          download: expect.stringContaining(`/sources/${body.items[0].id}/download`),
        },
      },
    ])
    expect(headers.get('location')).toBe(body.items[0].links.self)
    const [key] = await keysOf(user)
    expect(key).toMatch(new RegExp(`^sources/${user.sub}/${body.items[0].id}\\.\\w+$`))
  })
})

describe('refused', () => {
  test.for<[what: string, status: number, name: string, () => Promise<Buffer> | Buffer | string]>([
    ['an executable', 415, 'a.exe', () => Buffer.from('MZ\x90\0\0')],
    ['an executable as text', 415, 'a.txt', () => Buffer.from('MZ\0\0\0\0')],
    ['an image of another kind', 415, 'a.gif', () => 'GIF89a\x01\0\x01\0'],
    ['an archive', 415, 'a.zip', async () => Buffer.from('PK\x05\x06'.padEnd(22, '\0'))],
    ['an old Word document', 415, 'a.doc', oldWordDocument],
    ['text with another extension', 415, 'a.html', () => '<p>'],
    ['invalid UTF-8', 415, 'a.txt', () => Buffer.from([0x61, 0xff, 0x61])],
    ['invalid UTF-16', 415, 'a.txt', () => Buffer.from([0xff, 0xfe, 0x00, 0xd8])],
    ['an empty file', 400, 'a.txt', () => ''],
    ['an encrypted PDF', 400, 'a.pdf', () => pdf({ password: 'x' })],
    [
      'an encrypted PDF of another version',
      400,
      'a.pdf',
      () => pdf({ password: 'x', version: '1.7ext3' }),
    ],
    ['an encrypted Office file', 400, 'a.docx', encryptedOffice],
    [
      'an encrypted OpenDocument file',
      400,
      'a.odt',
      () => openDocument('text', { isEncrypted: true }),
    ],
    [
      'a truncated Office file',
      400,
      'a.docx',
      async () => (await officeOpenXml('docx')).subarray(0, -50),
    ],
    [
      'an Office file cut to its start',
      400,
      'a.docx',
      async () => (await officeOpenXml('docx')).subarray(0, 40),
    ],
    [
      'an Office file that unpacks too far',
      400,
      'a.docx',
      () => officeOpenXml('docx', { entries: { 'x.bin': new Uint8Array(3_000_000) } }),
    ],
  ])('%s', async ([, status, name, content]) => {
    const user = await world.createUser()
    const good = { name: 'good.txt', content: 'good' }
    const response = await send(user, good, { name, content: Buffer.from(await content()) }, good)
    const code = status === 415 ? 'UNSUPPORTED_MEDIA_TYPE' : 'VALIDATION_FAILED'
    expect(response).toMatchObject({
      status,
      body: { code, errors: [{ path: '/files/1', message: expect.any(String) }] },
    })
    expect((await user.api('/sources')).body.items).toEqual([])
    expect(await keysOf(user)).toEqual([])
  })

  test('the first bad part of the body decides', async () => {
    const user = await world.createUser()
    const program = { name: 'a.exe', content: 'MZ\x90\0\0' }
    const empty = { name: 'a.txt', content: '' }
    const other = { name: 'a.txt', content: 'x', part: 'other' }
    for (const [files, status, path] of [
      [[program, empty], 415, '/files/0'],
      [[empty, program], 400, '/files/0'],
      [[program, other], 415, '/files/0'],
      [[other, program], 400, '/other'],
    ] as const)
      expect(await send(user, ...files)).toMatchObject({ status, body: { errors: [{ path }] } })
  })

  test('files that only mention encryption are taken', async () => {
    const user = await world.createUser()
    const content = await pdf({ text: 'trailer << /Encrypt 5 0 R >>' })
    const broken = `%PDF-1.4\n(trailer << /Encrypt 1 0 R >>)\ntrailer << /Root 1 0 R /Note (/Encrypt) >>`
    const response = await send(
      user,
      { name: 'a.pdf', content },
      { name: 'b.pdf', content: broken.replace('trailer << /Encrypt 1 0 R >>', '/Encrypt') },
    )
    expect(response).toMatchObject({ status: 201 })
  })

  test('parts of other names, no files, too many files and bodies of other types', async () => {
    const user = await world.createUser()
    const file = { name: 'a.txt', content: 'x' }
    expect(await send(user)).toMatchObject({ status: 400, body: { errors: [{ path: '/files' }] } })
    expect(await send(user, file, { ...file, part: 'other/x' })).toMatchObject({
      status: 400,
      body: { errors: [{ path: '/other~1x' }] },
    })
    const eleven = Array.from({ length: 11 }, () => file)
    expect(await send(user, ...eleven)).toMatchObject({
      status: 400,
      body: { errors: [{ path: '/files/10' }] },
    })
    const ten = await send(user, ...eleven.slice(1))
    expect(ten).toMatchObject({ status: 201 })
    const listed: unknown[] = []
    for (let cursor: string | null = ''; cursor !== null; ) {
      const page: ApiResponse = await user.api(`/sources?limit=4${cursor}`)
      listed.push(...page.body.items)
      cursor = page.body.next_cursor && `&cursor=${page.body.next_cursor}`
    }
    expect(listed).toEqual(ten.body.items.toReversed())
    expect(await user.api('/sources?cursor=x')).toMatchObject({ status: 400 })
    expect(await user.api('/sources', { method: 'POST', body: {} })).toMatchObject({ status: 415 })
    expect(await user.api('/sources', { method: 'POST' })).toMatchObject({ status: 400 })
    for (const [rest, path] of [
      ['; filename="a.txt"\r\n\r\nhalf', ''],
      ['\r\n\r\na text field\r\n--b--\r\n', '/files/0'],
    ] as const)
      expect(
        await user.api('/sources', {
          method: 'POST',
          body: `--b\r\nContent-Disposition: form-data; name="files"${rest}`,
          headers: { 'content-type': 'multipart/form-data; boundary=b' },
        }),
      ).toMatchObject({ status: 400, body: { code: 'VALIDATION_FAILED', errors: [{ path }] } })
    await waitFor(async () => expect(await keysOf(user)).toHaveLength(10))
  })

  test('a file or a request that is too large', async () => {
    const user = await world.createUser()
    const small = { name: 'a.txt', content: 'x' }
    const large = { name: 'b.txt', content: Buffer.alloc(12 * 1024 * 1024 + 1, 'x') }
    expect(await send(user, small, large)).toMatchObject({
      status: 413,
      body: { code: 'PAYLOAD_TOO_LARGE', errors: [{ path: '/files/1' }] },
    })
    const fitting = { name: 'b.txt', content: Buffer.alloc(11 * 1024 * 1024, 'x') }
    expect(await send(user, fitting, fitting, fitting)).toMatchObject({ status: 413 })
    expect(await keysOf(user)).toEqual([])
    expect(await send(user, fitting)).toMatchObject({ status: 201 })
  }, 60_000)
})

test('names keep their script and lose their path', async () => {
  const user = await world.createUser()
  const names: [sent: string, stored: string][] = [
    ['Отчёт.txt', 'Отчёт.txt'],
    ['報告書.txt', '報告書.txt'],
    ['تقرير.txt', 'تقرير.txt'],
    ['Übersicht.txt', 'Übersicht.txt'],
    ['../../etc/evil.txt', 'evil.txt'],
    ['C:\\Users\\x\\plan.txt', 'plan.txt'],
    ['say "hi".txt', 'say "hi".txt'],
    ['gepj\u202e.txt', 'gepj.txt'],
    ['..', 'file'],
    [`${'ü'.repeat(250)}.txt`, `${'ü'.repeat(196)}.txt`],
  ]
  const files = names.map(([name]) => ({ name, content: 'x' }))
  const { body } = await send(user, ...files)
  expect(body.items.map(({ name }: { name: string }) => name)).toEqual(
    names.map(([, stored]) => stored),
  )
  const download = await user.api(`/sources/${body.items[1].id}/download`)
  expect(download.status).toBe(302)
  const file = await fetch(download.headers.get('location') ?? '')
  expect(await file.text()).toBe('x')
  expect(file.headers.get('content-disposition')).toMatch(/^attachment; .*%E5%A0%B1/)
  const json = await user.api(`/sources/${body.items[1].id}/download`, {
    headers: { accept: 'application/json' },
  })
  expect(json.body).toMatchObject({ file_name: '報告書.txt', sha256: sha256('x'), size_bytes: 1 })
})
