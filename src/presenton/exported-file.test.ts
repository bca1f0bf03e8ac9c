import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Presenton } from './client.ts'
import { badPaths } from './fixtures/bad-paths.ts'
import { asShared, json, openClient, openUpstream, type Upstream } from './fixtures/upstream.ts'

const badFile = { code: 'UPSTREAM_ERROR', failure: 'bad-file' }

let presenton: Presenton

async function read(path: string, signal = asShared.signal) {
  const { body, sizeBytes } = await presenton.openFile({ ...asShared, signal, path })
  return { sizeBytes, bytes: Buffer.concat(await body.toArray()) }
}

describe('An exported file over HTTP', () => {
  let upstream: Upstream

  beforeEach(async () => {
    upstream = await openUpstream()
    presenton = openClient(upstream.url)
  })

  afterEach(async () => {
    await presenton.close()
    await upstream.waitUntilIdle()
    await upstream.close()
  })

  it('is returned unchanged, requested by its encoded path and past every cache', async () => {
    upstream.handlers['/app_data/'] = (response) => response.end('PK file')
    const path = '/app_data/exports/users/u1/Q3 results 100% #1? %2e Übersicht 日本.pptx'
    expect(await read(path)).toEqual({ sizeBytes: 7, bytes: Buffer.from('PK file') })
    const [request] = upstream.requestsTo('/app_data/')
    expect(decodeURIComponent(request?.path ?? '')).toBe(path)
    expect(request?.path).toMatch(/^[\x21-\x7e]+$/)
    expect(request?.headers['cache-control']).toBe('no-store')
  })

  it('may have no announced length', async () => {
    upstream.handlers['/app_data/'] = (response) => {
      response.write('PK ')
      response.end('file')
    }
    expect(await read('/app_data/exports/x.pptx')).toEqual({
      sizeBytes: undefined,
      bytes: Buffer.from('PK file'),
    })
  })

  it.each(badPaths)('is rejected without a request at %j', async (path) => {
    await expect(read(path)).rejects.toMatchObject(badFile)
    expect(upstream.requestsTo('/app_data')).toEqual([])
  })

  it.each([
    ['a redirect', 302],
    ['a missing file', 404],
    ['no content', 204],
  ])('is a bad file if upstream responds with %s', async (_, status) => {
    upstream.handlers['/app_data/'] = (response) =>
      response.writeHead(status, { location: '/elsewhere' }).end()
    await expect(read('/app_data/x.pptx')).rejects.toMatchObject(badFile)
    expect(upstream.requestsTo('/elsewhere')).toEqual([])
  })

  it('is a bad file if it is empty, with an announced length or without', async () => {
    upstream.handlers['/app_data/'] = (response) =>
      response.writeHead(200, { 'content-length': 0 }).end()
    await expect(
      presenton.openFile({ ...asShared, path: '/app_data/x.pptx' }),
    ).rejects.toMatchObject(badFile)
    upstream.handlers['/app_data/'] = (response) => {
      response.flushHeaders()
      response.end()
    }
    await expect(read('/app_data/x.pptx')).rejects.toMatchObject(badFile)
  })

  it.each([
    ['with an announced length', { 'content-length': '100' }],
    ['without', {}],
  ])('is a bad file if it is cut, %s', async (_, headers) => {
    upstream.handlers['/app_data/'] = (response) => {
      response.writeHead(200, headers)
      response.write('PK')
      setTimeout(() => response.destroy(), 20)
    }
    const { body } = await presenton.openFile({ ...asShared, path: '/app_data/x.pptx' })
    await expect(body.toArray()).rejects.toMatchObject(badFile)
  })

  it('fails with an outage or a fault like any call', async () => {
    upstream.handlers['/app_data/'] = (response) => response.writeHead(502).end('<html>')
    await expect(read('/app_data/x.pptx')).rejects.toMatchObject({ failure: 'outage' })
    upstream.handlers['/app_data/'] = (response) => response.writeHead(500).end('<html>')
    await expect(read('/app_data/x.pptx')).rejects.toMatchObject({
      code: 'UPSTREAM_ERROR',
      failure: 'fault',
    })
  })

  it('fails with a timeout if it stalls', async () => {
    await presenton.close()
    presenton = openClient(upstream.url, {
      timeouts: { createMs: 100, prepareMs: 1, exportMs: 1, stallMs: 20_000, streamMs: 20_000 },
    })
    upstream.handlers['/app_data/'] = (response) => response.write('PK')
    const { body } = await presenton.openFile({ ...asShared, path: '/app_data/x.pptx' })
    await expect(body.toArray()).rejects.toMatchObject({
      code: 'UPSTREAM_TIMEOUT',
      failure: 'fault',
    })
  })

  it('closes its connection if it is destroyed unread or its caller aborts', async () => {
    upstream.handlers['/app_data/'] = (response) => response.write('PK')
    const { body } = await presenton.openFile({ ...asShared, path: '/app_data/x.pptx' })
    body.destroy()
    await upstream.waitUntilIdle()
    const caller = new AbortController()
    const reading = read('/app_data/x.pptx', caller.signal)
    await upstream.waitUntil(() => upstream.requestsTo('/app_data/').length === 2)
    setTimeout(() => caller.abort(new Error('aborted')), 20)
    await expect(reading).rejects.toThrow('aborted')
  })

  it('is not read ahead of its consumer', async () => {
    let written = 0
    upstream.handlers['/app_data/'] = async (response) => {
      response.setMaxListeners(0)
      const part = Buffer.alloc(65_536)
      for (; written < 400 && !response.destroyed; written++) {
        if (!response.write(part))
          await new Promise((resolve) => response.once('drain', resolve).once('close', resolve))
      }
      response.end()
    }
    const { body } = await presenton.openFile({ ...asShared, path: '/app_data/x.pptx' })
    await new Promise((resolve) => body.once('readable', resolve))
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(written).toBeLessThan(300)
    body.destroy()
  })
})

describe('An export', () => {
  it('fails with a fault if the response has no path', async () => {
    const upstream = await openUpstream({
      '/api/v1/ppt/presentation/edit': json({ success: true }),
    })
    presenton = openClient(upstream.url)
    await expect(
      presenton.exportDeck({ ...asShared, deckId: 'd', format: 'pdf', title: 't' }),
    ).rejects.toMatchObject({
      failure: 'fault',
    })
    await presenton.close()
    await upstream.close()
  })
})
