import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { sharedAccount } from './account.ts'
import type { Presenton } from './client.ts'
import {
  asShared,
  json,
  openapi,
  openClient,
  openUpstream,
  type Upstream,
} from './fixtures/upstream.ts'

const listPath = '/api/v1/ppt/template/all'
const groupPath = '/api/template?group='
const preparePath = '/api/v1/ppt/presentation/prepare'
const customPath = '/api/v1/ppt/template-management/summary'
const minute = 60_000
const builtIn = [
  'general',
  'modern',
  'standard',
  'swift',
  'neo-general',
  'neo-modern',
  'neo-standard',
  'neo-swift',
]
const ids = (templates: { id: string }[]) => templates.map(({ id }) => id)

let upstream: Upstream
let presenton: Presenton
let time: number

beforeEach(async () => {
  time = 0
  upstream = await openUpstream()
  presenton = openClient(upstream.url, { now: () => time })
})

afterEach(async () => {
  await presenton.close()
  await upstream.close()
})

describe('Templates in a paged list', () => {
  const item = (id: string) => ({
    id,
    name: id.toUpperCase(),
    description: `About ${id}`,
    layout_count: 3,
    is_default: true,
  })

  beforeEach(() => {
    const list = { get: { parameters: [{ name: 'page' }] } }
    upstream.handlers['/openapi.json'] = json({
      ...openapi(),
      paths: { ...openapi().paths, [listPath]: list },
    })
    upstream.handlers[listPath] = (response, { path }) => {
      const page = Number(new URL(path, 'http://x').searchParams.get('page'))
      const items = [[item('general'), item('modern')], [item('0f0e')]][page - 1] ?? []
      return json({ items, total: 3, page, page_size: 2 })(response, { path } as never)
    }
  })

  it('are all listed and cached for ten minutes', async () => {
    expect(presenton.knownTemplates(sharedAccount)).toBeUndefined()
    const [list] = await Promise.all([
      presenton.listTemplates(asShared),
      presenton.listTemplates(asShared),
    ])
    expect(list).toEqual(
      ['general', 'modern', '0f0e'].map((id) => ({
        id,
        name: id.toUpperCase(),
        description: `About ${id}`,
        layout_count: 3,
      })),
    )
    expect(upstream.requestsTo(listPath)).toHaveLength(2)
    expect([...(presenton.knownTemplates(sharedAccount) ?? [])]).toEqual(
      expect.arrayContaining(['general', '0f0e', 'custom-0f0e']),
    )
    time += 11 * minute
    await presenton.listTemplates(asShared)
    expect(upstream.requestsTo(listPath)).toHaveLength(4)
  })

  it('are those of the old list while the list cannot be refreshed', async () => {
    const list = await presenton.listTemplates(asShared)
    time += 11 * minute
    upstream.handlers[listPath] = json({}, 500)
    expect(await presenton.listTemplates(asShared)).toEqual(list)
  })

  it.each([
    [json({}, 500), 'fault'],
    [json({ items: 'x' }), 'fault'],
    [json({}, 502), 'outage'],
  ] as const)('cannot be listed while upstream fails (case %#)', async (handler, failure) => {
    upstream.handlers[listPath] = handler
    await expect(presenton.listTemplates(asShared)).rejects.toMatchObject({ failure })
    expect(presenton.knownTemplates(sharedAccount)).toBeUndefined()
  })

  it('are looked up one by one if the list does not contain them', async () => {
    upstream.handlers['/api/v1/ppt/template/new'] = json({ id: 'new' })
    expect(await presenton.hasTemplate({ ...asShared, templateId: 'new' })).toBe(true)
    expect(await presenton.hasTemplate({ ...asShared, templateId: 'custom-new' })).toBe(true)
    expect(await presenton.hasTemplate({ ...asShared, templateId: 'nope' })).toBe(false)
    expect(await presenton.hasTemplate({ ...asShared, templateId: '../../x' })).toBe(false)
    await presenton.listTemplates(asShared)
    const requestsBefore = upstream.requests.length
    expect(await presenton.hasTemplate({ ...asShared, templateId: 'general' })).toBe(true)
    expect(upstream.requests.length).toBe(requestsBefore)
  })
})

describe('Templates as groups', () => {
  const layout = {
    name: 'general',
    ordered: false,
    slides: [
      { id: 'general:a', json_schema: {} },
      { id: 'general:b', json_schema: {} },
    ],
  }

  beforeEach(() => {
    upstream.handlers['/openapi.json'] = json(
      openapi({ layout: 'object', morePaths: ['/api/v1/ppt/presentation/export'] }),
    )
    upstream.handlers[preparePath] = json({})
    upstream.handlers['/api/templates'] = json(
      { error: 'Failed to read presentation-templates directory' },
      500,
    )
    upstream.handlers[groupPath] = json({ error: 'Failed to fetch or parse client page' }, 500)
    upstream.handlers[`${groupPath}general`] = json(layout)
  })

  const prepare = (template: string, outlines = ['a']) =>
    presenton.prepareDeck({ ...asShared, deckId: 'd', outlines, title: 't', templateId: template })
  const preparedBody = () => JSON.parse(upstream.requestsTo(preparePath).at(-1)?.body ?? 'null')

  it('are the built-in ones if upstream cannot list them, and those of its users', async () => {
    expect(ids(await presenton.listTemplates(asShared))).toEqual(builtIn)
    upstream.handlers[customPath] = json({
      success: true,
      presentations: [
        { presentation_id: 'u1', layout_count: 4, template: { id: 'u1', name: 'Ours' } },
        { presentation_id: 'u2', layout_count: 1 },
      ],
    })
    time += 11 * minute
    const list = await presenton.listTemplates(asShared)
    expect(list.slice(-2)).toEqual([
      { id: 'custom-u1', name: 'Ours', description: '', layout_count: 4 },
      { id: 'custom-u2', name: 'Custom', description: '', layout_count: 1 },
    ])
  })

  it('are listed if upstream can list them', async () => {
    upstream.handlers['/api/templates'] = json([
      {
        templateName: 'General',
        templateID: 'general',
        files: ['a', 'b'],
        settings: { description: 'For all', ordered: false, default: true },
      },
    ])
    expect(await presenton.listTemplates(asShared)).toEqual([
      { id: 'general', name: 'General', description: 'For all', layout_count: 2 },
    ])
  })

  it('are sent to prepare as whole layouts, each fetched once for all runs', async () => {
    expect(await presenton.hasTemplate({ ...asShared, templateId: 'general' })).toBe(true)
    await Promise.all([prepare('general'), prepare('general')])
    expect(upstream.requestsTo(`${groupPath}general`)).toHaveLength(1)
    expect(preparedBody()).toEqual({
      presentation_id: 'd',
      outlines: [{ content: 'a' }],
      title: 't',
      layout,
    })
    time += 11 * minute
    await prepare('general')
    expect(upstream.requestsTo(`${groupPath}general`)).toHaveLength(2)
  })

  it('lose a fixed order with fewer slides than outlines, which crashes upstream', async () => {
    upstream.handlers[`${groupPath}pitch`] = json({ ...layout, ordered: true })
    await prepare('pitch', ['a', 'b'])
    expect(preparedBody().layout.ordered).toBe(true)
    await prepare('pitch', ['a', 'b', 'c'])
    expect(preparedBody().layout.ordered).toBe(false)
  })

  it('are rejected before paid work if unknown, and looked up once a minute', async () => {
    expect(await presenton.hasTemplate({ ...asShared, templateId: 'nope' })).toBe(false)
    expect(await presenton.hasTemplate({ ...asShared, templateId: 'nope' })).toBe(false)
    await expect(prepare('nope')).rejects.toMatchObject({
      code: 'UPSTREAM_REJECTED',
      failure: 'final',
    })
    expect(upstream.requestsTo(`${groupPath}nope`)).toHaveLength(1)
    time += 2 * minute
    upstream.handlers[`${groupPath}nope`] = json(layout)
    expect(await presenton.hasTemplate({ ...asShared, templateId: 'nope' })).toBe(true)
  })

  it('do not open the circuit if they are unknown', async () => {
    await presenton.close()
    presenton = openClient(upstream.url, {
      breaker: { errorPercent: 10, minCalls: 3, windowMs: 60_000, resetMs: 60_000 },
    })
    for (let i = 0; i < 20; i++)
      await presenton.hasTemplate({ ...asShared, templateId: `nope-${i}` })
    expect(presenton.state().breaker).toBe('closed')
  })

  it('fail with a fault if a built-in one cannot be fetched, which is not cached', async () => {
    upstream.handlers[`${groupPath}modern`] = json(
      { error: 'Failed to fetch or parse client page' },
      500,
    )
    await expect(
      presenton.hasTemplate({ ...asShared, templateId: 'modern' }),
    ).rejects.toMatchObject({
      code: 'UPSTREAM_ERROR',
      failure: 'fault',
    })
    upstream.handlers[`${groupPath}modern`] = json(layout)
    expect(await presenton.hasTemplate({ ...asShared, templateId: 'modern' })).toBe(true)
  })

  it('are still fetched for the other callers when one aborts', async () => {
    let respond = () => {}
    upstream.handlers[`${groupPath}general`] = (response, request) => {
      respond = () => json(layout)(response, request)
    }
    const caller = new AbortController()
    const aborted = presenton.hasTemplate({
      ...asShared,
      signal: caller.signal,
      templateId: 'general',
    })
    const other = presenton.hasTemplate({ ...asShared, templateId: 'general' })
    await upstream.waitUntil(() => upstream.requestsTo(groupPath).length === 1)
    caller.abort('aborted')
    await expect(aborted).rejects.toBe('aborted')
    respond()
    expect(await other).toBe(true)
  })
})

describe('Templates in a plain list', () => {
  it('are listed, and sent to prepare as whole layouts', async () => {
    const list = { get: { parameters: [{ name: 'include_defaults' }] } }
    const document = openapi({ layout: 'object' })
    upstream.handlers['/openapi.json'] = json({
      ...document,
      paths: { ...document.paths, [listPath]: list },
    })
    upstream.handlers[listPath] = json([{ id: 'general', name: 'General', total_layouts: 12 }])
    upstream.handlers['/api/v1/ppt/template/general'] = json({ name: 'general', slides: [{}] })
    upstream.handlers[preparePath] = json({})
    expect(await presenton.listTemplates(asShared)).toEqual([
      { id: 'general', name: 'General', description: '', layout_count: 12 },
    ])
    await presenton.prepareDeck({
      ...asShared,
      deckId: 'd',
      outlines: ['a'],
      title: 't',
      templateId: 'general',
    })
    expect(JSON.parse(upstream.requestsTo(preparePath)[0]?.body ?? '').layout).toEqual({
      name: 'general',
      slides: [{}],
    })
    expect(await presenton.hasTemplate({ ...asShared, templateId: 'nope' })).toBe(false)
  })
})
