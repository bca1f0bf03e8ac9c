// Whether a template exists: the list is read once for all runs, and decides whether a 404 for a
// template is a fault that passes or means that there is no such template.

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { sharedAccount } from './account.ts'
import type { Presenton } from './client.ts'
import {
  asShared,
  type Handler,
  json,
  openapi,
  openClient,
  openUpstream,
  type Upstream,
} from './fixtures/upstream.ts'
import { isTemplateMissing } from './templates.ts'

const listPath = '/api/v1/ppt/template/all'
const templatePath = '/api/v1/ppt/template/'
const preparePath = '/api/v1/ppt/presentation/prepare'
const minute = 60_000

let upstream: Upstream
let presenton: Presenton
let time: number

beforeEach(async () => {
  time = 1_000_000
  upstream = await openUpstream()
  presenton = openClient(upstream.url, { now: () => time })
})

afterEach(async () => {
  await presenton.close()
  await upstream.close()
})

function serve(kind: 'paged' | 'list', ids: string[]) {
  const document = openapi({ layout: kind === 'paged' ? 'id' : 'object' })
  const list = { get: { parameters: [{ name: kind === 'paged' ? 'page' : 'include_defaults' }] } }
  upstream.handlers['/openapi.json'] = json({
    ...document,
    paths: { ...document.paths, [listPath]: list },
  })
  setList(kind, ids)
}

function setList(kind: 'paged' | 'list', ids: string[]) {
  const items = ids.map((id) => ({ id, name: id }))
  upstream.handlers[listPath] = json(kind === 'paged' ? { items, total: items.length } : items)
}

const has = (templateId: string) => presenton.hasTemplate({ ...asShared, templateId })
const lists = () => upstream.requestsTo(listPath).length
const lookups = () => upstream.requestsTo(templatePath).length - lists()
const prepare = (templateId: string) =>
  presenton.prepareDeck({ ...asShared, deckId: 'd', outlines: ['a'], title: 't', templateId })

describe('Twenty runs', () => {
  it.each(['paged', 'list'] as const)('read a list once (%s), and no template', async (kind) => {
    serve(kind, ['general'])
    expect(await Promise.all(Array.from({ length: 10 }, () => has('general')))).toContain(true)
    for (let run = 0; run < 10; run++) expect(await has('general')).toBe(true)
    expect([lists(), lookups()]).toEqual([1, 0])
    time += 11 * minute
    await has('general')
    expect([lists(), lookups()]).toEqual([2, 0])
  })

  it('ask once for a template that the list does not name', async () => {
    serve('paged', ['general'])
    upstream.handlers[`${templatePath}hidden`] = json({ id: 'hidden' })
    for (let run = 0; run < 20; run++) {
      expect(await has('hidden')).toBe(true)
      expect(await has('nope')).toBe(false)
    }
    expect([lists(), lookups()]).toEqual([1, 2])
    // That there is none is remembered for a shorter time.
    time += 2 * minute
    expect([await has('hidden'), await has('nope')]).toEqual([true, false])
    expect([lists(), lookups()]).toEqual([1, 3])
  })

  it.each([json({}, 500), json({ items: 'x' }), json({}, 400)])(
    'ask once for the template while the list fails (case %#)',
    async (handler) => {
      serve('paged', [])
      upstream.handlers[listPath] = handler
      upstream.handlers[`${templatePath}general`] = json({ id: 'general' })
      for (let run = 0; run < 20; run++) expect(await has('general')).toBe(true)
      expect(lookups()).toBe(1)
    },
  )

  it('refresh an old list that fails every ten seconds, not each', async () => {
    serve('paged', ['general'])
    await has('general')
    time += 11 * minute
    upstream.handlers[listPath] = json({}, 500)
    for (let run = 0; run < 20; run++) expect(await has('general')).toBe(true)
    expect(lists()).toBe(2)
    time += 10_001
    await has('general')
    expect(lists()).toBe(3)
  })
})

describe('A list that only runs and checks asked for', () => {
  it('decides about briefs only once a caller has seen it, as it is then', async () => {
    serve('paged', ['general'])
    expect(await has('general')).toBe(true)
    expect(presenton.knownTemplates(sharedAccount)).toBeUndefined()
    setList('paged', ['general', 'new'])
    expect((await presenton.listTemplates(asShared)).map(({ id }) => id)).toContain('new')
    expect(presenton.knownTemplates(sharedAccount)?.has('new')).toBe(true)
    await presenton.listTemplates(asShared)
    expect(lists()).toBe(2)
  })

  it('is not shown while upstream is away', async () => {
    serve('paged', ['general'])
    await has('general')
    upstream.handlers[listPath] = json({}, 502)
    await expect(presenton.listTemplates(asShared)).rejects.toMatchObject({ failure: 'outage' })
    expect(await has('general')).toBe(true)
  })
})

describe('A template that upstream lists, but does not find for a moment', () => {
  const nextPage: Handler = (response) => response.writeHead(404).end('<html>Not found</html>')

  it.each([
    ['404 of its page', nextPage],
    ['404', json({ detail: 'Template not found' }, 404)],
    ['400', json({ detail: 'Failed to render' }, 400)],
    ['422', json({ detail: 'x' }, 422)],
  ])('is a fault, which is not remembered: %s', async (_, handler) => {
    serve('list', ['general'])
    await has('general')
    upstream.handlers[`${templatePath}general`] = handler
    const failed = prepare('general')
    await expect(failed).rejects.toMatchObject({ code: 'UPSTREAM_ERROR', failure: 'fault' })
    upstream.handlers[`${templatePath}general`] = json({ slides: [{}] })
    upstream.handlers[preparePath] = json({})
    await prepare('general')
    expect(lookups()).toBe(2)
  })

  it('is a fault in prepare, too', async () => {
    serve('paged', ['general'])
    upstream.handlers[preparePath] = json({ detail: 'Template layout not found' }, 404)
    for (const templateId of ['general', 'custom-general'])
      await expect(prepare(templateId)).rejects.toMatchObject({ failure: 'fault' })
  })

  it('is a fault if it is a custom one', async () => {
    const custom = 'custom-0b1c'
    upstream.handlers['/openapi.json'] = json(openapi({ layout: 'object' }))
    upstream.handlers['/api/templates'] = json([])
    upstream.handlers['/api/v1/ppt/template-management/summary'] = json({
      presentations: [{ presentation_id: '0b1c' }],
    })
    upstream.handlers['/api/template?group='] = json({ error: 'Failed to fetch' }, 500)
    await expect(prepare(custom)).rejects.toMatchObject({ failure: 'fault' })
    const missing = await prepare('custom-other').catch((error: unknown) => error)
    expect(isTemplateMissing(missing)).toBe(true)
  })

  it.each(['paged', 'list'] as const)(
    'is rejected once the list no longer names it (%s)',
    async (kind) => {
      serve(kind, ['general', 'old'])
      expect(await has('old')).toBe(true)
      setList(kind, ['general'])
      const detail = { detail: 'Template layout not found' }
      upstream.handlers[preparePath] = json(detail, 404)
      upstream.handlers[`${templatePath}old`] = json(detail, 404)
      time += 11_000
      const error = await prepare('old').catch((problem: unknown) => problem)
      expect(error).toMatchObject({ code: 'UPSTREAM_REJECTED', failure: 'final' })
      expect(isTemplateMissing(error)).toBe(true)
      expect(lists()).toBe(2)
    },
  )

  it('fails as the list does while it cannot be read', async () => {
    serve('paged', ['general'])
    upstream.handlers[listPath] = json({}, 502)
    upstream.handlers[preparePath] = json({ detail: 'Template layout not found' }, 404)
    await expect(prepare('general')).rejects.toMatchObject({ failure: 'outage' })
  })
})
