import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, expect, it, onTestFinished } from 'vitest'
import { openStandIn, type StandInOptions } from '../stand-in.ts'
import { createTestClient, finishDeck } from '../test-client.ts'

async function open(options: StandInOptions) {
  const presenton = await openStandIn(options)
  onTestFinished(() => presenton.close())
  return { presenton, client: createTestClient(presenton) }
}

async function openWithExport(options: StandInOptions = { shape: 'A1' }) {
  const all = await open(options)
  const path: string = JSON.parse((await all.client.export(await finishDeck(all.client))).text).path
  return { ...all, path, bytes: (await all.client.file(path)).bytes }
}

describe('exported files', () => {
  it('have type, length, ETag and one year of caching', async () => {
    const { client, path, bytes } = await openWithExport()
    const { headers } = await client.call('GET', encodeURI(path))
    expect(headers.get('content-type')).toBe(
      'application/vnd.openxmlformats-officedocument.presentationml.presentation',
    )
    expect(headers.get('content-length')).toBe(String(bytes.length))
    expect(headers.get('etag')).toMatch(new RegExp(`^"[0-9a-f]{8}-${bytes.length.toString(16)}"$`))
    expect(headers.get('cache-control')).toBe('max-age=31536000, public, immutable')
    expect(headers.get('accept-ranges')).toBe('bytes')
  })

  it('are never written through a symbolic link', async () => {
    const { presenton, client } = await open({ shape: 'A1' })
    const id = await finishDeck(client)
    await client.export(id)
    const { file } = presenton.decks.get(id)!.exports[0]!
    const folder = await mkdtemp(join(tmpdir(), 'link-target-'))
    onTestFinished(() => rm(folder, { recursive: true }))
    const target = join(folder, 'target')
    await writeFile(target, 'unchanged')
    await rm(file)
    await symlink(target, file)
    expect((await client.export(id)).status).toBe(500)
    expect(await readFile(target, 'utf8')).toBe('unchanged')
  })

  it('support HEAD and ranges', async () => {
    const { presenton, client, path, bytes } = await openWithExport()
    const head = await client.send('HEAD', encodeURI(path))
    expect([head.status, head.headers.get('content-length'), head.text]).toEqual([
      200,
      String(bytes.length),
      '',
    ])
    const part = async (range: string) => {
      const response = await fetch(presenton.url + encodeURI(path), { headers: { range } })
      return {
        status: response.status,
        range: response.headers.get('content-range'),
        bytes: Buffer.from(await response.arrayBuffer()),
      }
    }
    const size = bytes.length
    expect(await part('bytes=0-3')).toEqual({
      status: 206,
      range: `bytes 0-3/${size}`,
      bytes: bytes.subarray(0, 4),
    })
    expect(await part('bytes=-22')).toEqual({
      status: 206,
      range: `bytes ${size - 22}-${size - 1}/${size}`,
      bytes: bytes.subarray(-22),
    })
    expect((await part(`bytes=${size}-`)).status).toBe(416)
  })

  it('return 404 for unknown paths and paths outside, 403 for a folder', async () => {
    const { client } = await openWithExport()
    expect((await client.send('GET', '/app_data/exports/nope.pptx')).text).toContain(
      '404 Not Found',
    )
    expect((await client.send('GET', '/app_data/exports/')).status).toBe(403)
    expect((await client.send('GET', '/app_data/exports/..%2f..%2fetc%2fpasswd')).status).toBe(404)
    expect((await client.send('GET', '/app_data/fastapi.db')).status).toBe(404)
  })

  it('return 400 for a path that is not percent-encoded', async () => {
    const { presenton } = await openWithExport()
    const socket = connect(presenton.port, '127.0.0.1')
    socket.write('GET /app_data/exports/two words.pptx HTTP/1.1\r\nHost: presenton\r\n\r\n')
    const response = await text(socket)
    expect(response).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n.*400 Bad Request<\/title>/s)
  })

  it('need a login on B', async () => {
    const key = 'sk-presenton-1'
    const { presenton } = await open({
      shape: 'B1',
      credentials: { username: 'admin', password: 'correct horse' },
      apiKeys: [key],
    })
    const admin = createTestClient(presenton, { authorization: `Bearer ${key}` })
    const { path } = JSON.parse((await admin.export(await finishDeck(admin))).text)
    expect((await admin.file(path)).headers.get('cache-control')).toBe(
      'max-age=31536000, private, max-age=31536000',
    )
    expect((await createTestClient(presenton).file(path)).status).toBe(401)
  })

  it('appear in the journal with the id of their deck', async () => {
    const { presenton } = await openWithExport()
    expect(presenton.journal.at(-1)).toMatchObject({
      operation: 'file',
      deckId: [...presenton.decks.keys()][0],
    })
  })

  it('stop at a gate in the middle', async () => {
    const { presenton, client, path, bytes } = await openWithExport()
    presenton.gates.hold('file:part')
    const reading = client.file(path)
    await presenton.gates.arrived('file:part')
    presenton.gates.release('file:part')
    expect((await reading).bytes).toEqual(bytes)
  })
})

describe('images', () => {
  it.each([
    ['/static/images/placeholder.jpg', 'image/jpeg', 'ffd8ff'],
    ['/static/icons/placeholder.svg', 'image/svg+xml', '3c737667'],
    ['/app_data/images/a.png', 'image/png', '89504e47'],
  ])('%s is a file of type %s', async (path, type, start) => {
    const { presenton } = await open({ shape: 'B1' })
    const response = await fetch(presenton.url + path)
    expect(response.headers.get('content-type')).toBe(type)
    expect(
      Buffer.from(await response.arrayBuffer())
        .toString('hex')
        .startsWith(start),
    ).toBe(true)
  })
})
