import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { sharedAccount } from './account.ts'
import type { Presenton } from './client.ts'
import {
  asShared,
  connect,
  json,
  openapi,
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
  presenton = connect(upstream.url, { now: () => time })
})

afterEach(async () => {
  await presenton.close()
  await upstream.close()
})

describe('Templates in pages', () => {
  const item = (id: string) => ({
    id,
    name: id.toUpperCase(),
    description: `About ${id}`,
    layout_count: 3,
    is_default: true,
  })

  beforeEach(() => {
    const list = { get: { parameters: [{ name: 'page' }] } }
    upstream.answers['/openapi.json'] = json({
      ...openapi(),
      paths: { ...openapi().paths, [listPath]: list },
    })
    upstream.answers[listPath] = (response, { path }) => {
      const page = Number(new URL(path, 'http://x').searchParams.get('page'))
      const items = [[item('general'), item('modern')], [item('0f0e')]][page - 1] ?? []
      return json({ items, total: 3, page, page_size: 2 })(response, { path } as never)
    }
  })

  it('are listed whole and cached for ten minutes', async () => {
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
    expect(upstream.to(listPath)).toHaveLength(2)
    expect([...(presenton.knownTemplates(sharedAccount) ?? [])]).toEqual(
      expect.arrayContaining(['general', '0f0e', 'custom-0f0e']),
    )
    time += 11 * minute
    await presenton.listTemplates(asShared)
    expect(upstream.to(listPath)).toHaveLength(4)
  })

  it('stay as they were while they cannot be listed', async () => {
    const list = await presenton.listTemplates(asShared)
    time += 11 * minute
    upstream.answers[listPath] = json({}, 500)
    expect(await presenton.listTemplates(asShared)).toEqual(list)
  })

  it.each([
    [json({}, 500), 'fault'],
    [json({ items: 'x' }), 'fault'],
    [json({}, 502), 'outage'],
  ] as const)('cannot be listed', async (answer, failure) => {
    upstream.answers[listPath] = answer
    await expect(presenton.listTemplates(asShared)).rejects.toMatchObject({ failure })
    expect(presenton.knownTemplates(sharedAccount)).toBeUndefined()
  })

  it('are looked up one by one when they are not in the list', async () => {
    upstream.answers['/api/v1/ppt/template/new'] = json({ id: 'new' })
    expect(await presenton.hasTemplate({ ...asShared, templateId: 'new' })).toBe(true)
    expect(await presenton.hasTemplate({ ...asShared, templateId: 'custom-new' })).toBe(true)
    expect(await presenton.hasTemplate({ ...asShared, templateId: 'nope' })).toBe(false)
    expect(await presenton.hasTemplate({ ...asShared, templateId: '../../x' })).toBe(false)
    await presenton.listTemplates(asShared)
    const visits = upstream.visits.length
    expect(await presenton.hasTemplate({ ...asShared, templateId: 'general' })).toBe(true)
    expect(upstream.visits.length).toBe(visits)
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
    upstream.answers['/openapi.json'] = json(
      openapi({ layout: 'object', more: ['/api/v1/ppt/presentation/export'] }),
    )
    upstream.answers[preparePath] = json({})
    upstream.answers['/api/templates'] = json(
      { error: 'Failed to read presentation-templates directory' },
      500,
    )
    upstream.answers[groupPath] = json({ error: 'Failed to fetch or parse client page' }, 500)
    upstream.answers[`${groupPath}general`] = json(layout)
  })

  const prepare = (template: string, outlines = ['a']) =>
    presenton.prepareDeck({ ...asShared, deckId: 'd', outlines, title: 't', templateId: template })
  const prepared = () => JSON.parse(upstream.to(preparePath).at(-1)?.body ?? 'null')

  it('are those it was shipped with where it cannot list them, and those its users made', async () => {
    expect(ids(await presenton.listTemplates(asShared))).toEqual(builtIn)
    upstream.answers[customPath] = json({
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

  it('are listed where it can', async () => {
    upstream.answers['/api/templates'] = json([
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

  it('are sent to prepare whole; each is fetched once for all who need it', async () => {
    expect(await presenton.hasTemplate({ ...asShared, templateId: 'general' })).toBe(true)
    await Promise.all([prepare('general'), prepare('general')])
    expect(upstream.to(`${groupPath}general`)).toHaveLength(1)
    expect(prepared()).toEqual({
      presentation_id: 'd',
      outlines: [{ content: 'a' }],
      title: 't',
      layout,
    })
    time += 11 * minute
    await prepare('general')
    expect(upstream.to(`${groupPath}general`)).toHaveLength(2)
  })

  it('lose their order where it has fewer slides than there are outlines, since upstream crashes at that', async () => {
    upstream.answers[`${groupPath}pitch`] = json({ ...layout, ordered: true })
    await prepare('pitch', ['a', 'b'])
    expect(prepared().layout.ordered).toBe(true)
    await prepare('pitch', ['a', 'b', 'c'])
    expect(prepared().layout.ordered).toBe(false)
  })

  it('that are unknown are refused before anything is spent, and are not asked for again and again', async () => {
    expect(await presenton.hasTemplate({ ...asShared, templateId: 'nope' })).toBe(false)
    expect(await presenton.hasTemplate({ ...asShared, templateId: 'nope' })).toBe(false)
    await expect(prepare('nope')).rejects.toMatchObject({
      code: 'UPSTREAM_REJECTED',
      failure: 'final',
    })
    expect(upstream.to(`${groupPath}nope`)).toHaveLength(1)
    time += 2 * minute
    upstream.answers[`${groupPath}nope`] = json(layout)
    expect(await presenton.hasTemplate({ ...asShared, templateId: 'nope' })).toBe(true)
  })

  it('that are unknown do not open the circuit: anyone may name one', async () => {
    await presenton.close()
    presenton = connect(upstream.url, {
      breaker: { errorPercent: 10, minCalls: 3, windowMs: 60_000, resetMs: 60_000 },
    })
    for (let i = 0; i < 20; i++)
      await presenton.hasTemplate({ ...asShared, templateId: `nope-${i}` })
    expect(presenton.state().breaker).toBe('closed')
  })

  it('that were shipped and do not come are a fault, tried again', async () => {
    upstream.answers[`${groupPath}modern`] = json(
      { error: 'Failed to fetch or parse client page' },
      500,
    )
    await expect(
      presenton.hasTemplate({ ...asShared, templateId: 'modern' }),
    ).rejects.toMatchObject({
      code: 'UPSTREAM_ERROR',
      failure: 'fault',
    })
    upstream.answers[`${groupPath}modern`] = json(layout)
    expect(await presenton.hasTemplate({ ...asShared, templateId: 'modern' })).toBe(true)
  })

  it('goes on being fetched for the others when one caller leaves', async () => {
    let answer = () => {}
    upstream.answers[`${groupPath}general`] = (response, visit) => {
      answer = () => json(layout)(response, visit)
    }
    const leaving = new AbortController()
    const left = presenton.hasTemplate({
      ...asShared,
      signal: leaving.signal,
      templateId: 'general',
    })
    const other = presenton.hasTemplate({ ...asShared, templateId: 'general' })
    await upstream.until(() => upstream.to(groupPath).length === 1)
    leaving.abort('enough')
    await expect(left).rejects.toBe('enough')
    answer()
    expect(await other).toBe(true)
  })
})

describe('Templates in a plain list', () => {
  it('are listed, and sent to prepare whole', async () => {
    const list = { get: { parameters: [{ name: 'include_defaults' }] } }
    const document = openapi({ layout: 'object' })
    upstream.answers['/openapi.json'] = json({
      ...document,
      paths: { ...document.paths, [listPath]: list },
    })
    upstream.answers[listPath] = json([{ id: 'general', name: 'General', total_layouts: 12 }])
    upstream.answers['/api/v1/ppt/template/general'] = json({ name: 'general', slides: [{}] })
    upstream.answers[preparePath] = json({})
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
    expect(JSON.parse(upstream.to(preparePath)[0]?.body ?? '').layout).toEqual({
      name: 'general',
      slides: [{}],
    })
    expect(await presenton.hasTemplate({ ...asShared, templateId: 'nope' })).toBe(false)
  })
})
