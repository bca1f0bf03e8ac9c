import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { openWorld, type World } from '../journeys/world.ts'
import { pdf } from '../sandbox/documents.ts'
import { createClient } from './client.ts'
import { inTurn, openTestGateway, sendJson, sendProblem } from './test-gateway.ts'

describe('at a gateway', () => {
  let world: World
  beforeAll(async () => {
    world = await openWorld()
  })
  afterAll(() => world.close())

  const names = ['Größe "A".pdf', 'отчёт.txt', '報告\r\n.txt']

  it('sources are uploaded as files and streams, listed, read, downloaded and deleted', async () => {
    const { token } = await world.createUser()
    const { sources } = createClient({ baseUrl: world.url, token })
    const content = await pdf()
    const uploaded = await sources.upload([
      { name: names[0] ?? '', type: 'application/pdf', stream: Readable.from([content]) },
      new File(['The ferry runs.'], names[1] ?? ''),
      { name: names[2] ?? '', stream: new Blob(['Until May.']).stream() },
    ])
    const asFiles = await sources.upload([
      new File([new Uint8Array(content)], names[0] ?? ''),
      new File(['The ferry runs.'], names[1] ?? ''),
      new File(['Until May.'], names[2] ?? ''),
    ])
    const facts = ({ name, content_type, size_bytes, sha256 }: (typeof uploaded)[number]) => ({
      ...{ name, content_type, size_bytes, sha256 },
    })
    expect(uploaded.map(facts)).toEqual(asFiles.map(facts))
    expect(uploaded.map(({ size_bytes }) => size_bytes)).toEqual([content.length, 15, 10])

    const [first] = uploaded
    expect(await sources.get(first?.id ?? '')).toEqual(first)
    const { url, file_name } = await sources.download(first?.id ?? '')
    expect(file_name).toBe(first?.name)
    expect(Buffer.from(await (await fetch(url)).arrayBuffer())).toEqual(content)
    for (const { id } of [...uploaded, ...asFiles]) await sources.delete(id)
    for await (const source of sources.list()) expect.unreachable(source.name)
  })

  it('a key uploads a stream once', async () => {
    const { token } = await world.createUser()
    const { sources } = createClient({ baseUrl: world.url, token })
    const upload = () =>
      sources.upload([{ name: 'a.txt', stream: Readable.from([Buffer.from('a')]) }], {
        idempotencyKey: 'k',
      })
    expect(await upload()).toEqual(await upload())
  })

  it('a refused stream is closed, and the reason is the problem of the gateway', async () => {
    const { token } = await world.createUser()
    const { sources } = createClient({ baseUrl: world.url, token })
    const stream = Readable.from([Buffer.from([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1, 0])])
    await expect(sources.upload([{ name: 'a.pdf', stream }])).rejects.toMatchObject({
      code: 'UNSUPPORTED_MEDIA_TYPE',
      status: 415,
    })
    expect(stream.destroyed).toBe(true)
  })
})

describe('a stream', () => {
  const closers: (() => Promise<unknown>)[] = []
  afterEach(async () => {
    for (const close of closers.splice(0)) await close()
  })

  it('is sent once, even after an error; files are sent again', async () => {
    const gateway = await openTestGateway(
      inTurn(
        (response) => sendProblem(response, 503, 'STORAGE_UNAVAILABLE', { 'retry-after': '1' }),
        (response) => sendProblem(response, 401, 'AUTHENTICATION_FAILED'),
        (response) => void response.destroy(),
        (response) => sendProblem(response, 503, 'STORAGE_UNAVAILABLE', { 'retry-after': '1' }),
        (response) => sendJson(response, 201, { items: [] }),
      ),
    )
    closers.push(gateway.close)
    const { sources } = gateway.client({ token: () => 'token' })
    const upload = () =>
      sources.upload([{ name: 'a.txt', stream: Readable.from([Buffer.from('a')]) }])
    await expect(upload()).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
    await expect(upload()).rejects.toMatchObject({ code: 'AUTHENTICATION_FAILED' })
    await expect(upload()).rejects.toMatchObject({ code: 'NETWORK_ERROR' })
    expect(gateway.received).toHaveLength(3)
    expect(await sources.upload([new File(['a'], 'a.txt')])).toEqual([])
    expect(gateway.received).toHaveLength(5)
  })

  it('that cannot be read fails with its own error', async () => {
    const gateway = await openTestGateway((response) => sendJson(response, 201, { items: [] }))
    closers.push(gateway.close)
    const stream = Readable.from(
      (function* () {
        yield Buffer.from('a')
        throw new RangeError('the disk is gone')
      })(),
    )
    const upload = gateway.client().sources.upload([{ name: 'a.txt', stream }])
    await expect(upload).rejects.toThrow('the disk is gone')
  })

  it('is closed with the reason of the signal', async () => {
    const server = createServer((request) => void request.resume())
    await once(server.listen(0, '127.0.0.1'), 'listening')
    closers.push(async () => {
      server.closeAllConnections()
      server.close()
    })
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const stream = Readable.from(endless())
    const leaving = new AbortController()
    const upload = createClient({ baseUrl: url, token: 't' }).sources.upload(
      [{ name: 'a.txt', stream }],
      { signal: leaving.signal },
    )
    server.once('request', () => leaving.abort(new Error('left')))
    await expect(upload).rejects.toThrow('left')
    await expect.poll(() => stream.destroyed).toBe(true)
  })
})

async function* endless() {
  for (;;) {
    yield Buffer.alloc(65_536)
    await new Promise((resolve) => setImmediate(resolve))
  }
}
