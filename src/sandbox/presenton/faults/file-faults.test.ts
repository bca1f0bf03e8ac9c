// Faults of prepare, of exports and of their files.

import { describe, expect, it } from 'vitest'
import { readZip } from '../content/zip.ts'
import type { FaultName } from '../stand-in.ts'
import { finishDeck } from '../test-client.ts'
import { openFaulty } from './test-faults.ts'

describe('faults of prepare', () => {
  it.each([
    ['model-401', 500, 401],
    ['model-429', 500, 429],
    ['model-503', 500, 503],
    ['model-400', 500, 400],
    ['index-error', 500, 500],
  ] as const)('%s is %i on A and %i on B', async (name, onA, onB) => {
    for (const [shape, status] of [
      ['A1', onA],
      ['B1', onB],
    ] as const) {
      const { presenton, client } = await openFaulty({ shape })
      const id = await client.create()
      presenton.faults.inject(`prepare:${name}`)
      expect((await client.prepare(id, [{ content: 'a' }])).status).toBe(status)
      expect((await client.prepare(id, [{ content: 'a' }])).status).toBe(200)
    }
  })
})

describe('faults of export and file', () => {
  it('replies with paths that a client must not request', async () => {
    const { presenton, client } = await openFaulty()
    const id = await finishDeck(client)
    const path = async (name: FaultName) => {
      presenton.faults.inject(name)
      return JSON.parse((await client.export(id)).text).path
    }
    expect(await path('export:path-outside')).toBe('/etc/passwd')
    expect(await path('export:path-dots')).toContain('/../')
    expect(await path('export:path-other-host')).toMatch(/^http:\/\/169/)
    expect(await path('export:path-missing')).toBeUndefined()
    expect((await client.export(id)).status).toBe(200)
  })

  it('responds with other bytes than exported', async () => {
    const { presenton, client } = await openFaulty()
    const path = JSON.parse((await client.export(await finishDeck(client))).text).path
    const exported = (await client.file(path)).bytes
    const get = (name: FaultName) => {
      presenton.faults.inject(name)
      return client.file(path)
    }
    expect((await get('file:empty')).bytes).toHaveLength(0)
    await expect(get('file:short')).rejects.toThrow()
    await expect(get('file:no-length-cut')).rejects.toThrow()
    const truncated = await get('file:truncated')
    expect(Number(truncated.headers.get('content-length'))).toBe(truncated.bytes.length)
    expect(truncated.bytes.length).toBeLessThan(exported.length)
    expect((await get('file:garbage')).bytes).toHaveLength(exported.length)
    expect((await readZip((await get('file:not-a-presentation')).bytes)).size).toBe(0)
    expect((await get('file:no-length')).headers.get('content-length')).toBeNull()
    const elsewhere = await get('file:redirect')
    expect([elsewhere.status, elsewhere.headers.get('location')]).toEqual([
      302,
      'http://127.0.0.1:9/elsewhere',
    ])
    expect((await get('file:404')).headers.get('content-type')).toBe('text/html')
    expect((await client.file(path)).bytes).toEqual(exported)
  })

  it('sends bytes until the client disconnects', async () => {
    const { presenton, client } = await openFaulty()
    const path = JSON.parse((await client.export(await finishDeck(client))).text).path
    presenton.faults.inject('file:endless')
    const response = await client.call('GET', encodeURI(path))
    let size = 0
    for await (const part of response.body ?? []) {
      size += part.length
      if (size > 2 ** 20) break
    }
    await expect.poll(() => presenton.journal.at(-1)?.aborted).toBe(true)
  })
})
