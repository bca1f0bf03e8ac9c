import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Presenton, PresentonOptions } from './client.ts'
import { authKindOf, featuresOf } from './dialect.ts'
import {
  asShared,
  connect,
  json,
  openapi,
  openUpstream,
  type Upstream,
} from './fixtures/upstream.ts'

const p = '/api/v1/ppt/presentation'
const preparePath = `${p}/prepare`
const editPath = `${p}/edit`
const deckExportPath = `${p}/d/export`
const minute = 60_000

describe('Features', () => {
  it('are read from routes and bodies, whatever the path parameters are called', () => {
    const document = openapi({
      more: ['/api/v1/ppt/outlines/{presentation_id}', `${p}/{presentation_id}/export`],
    })
    expect(featuresOf(document, 'cookie')).toEqual({
      auth: 'cookie',
      layout: 'id',
      outlinesReadable: true,
      exportRoute: 'deck-export',
      templates: 'groups',
      smart: false,
    })
    expect(featuresOf(openapi({ layout: 'object', more: [`${p}/export`] }), 'none')).toMatchObject({
      layout: 'object',
      exportRoute: 'export',
    })
    expect(featuresOf(openapi(), 'none')).toMatchObject({ exportRoute: 'edit' })
  })

  it('take an id where upstream takes either', () => {
    const layout = { anyOf: [{ $ref: '#/components/schemas/Layout' }, { type: 'string' }] }
    const body = {
      content: { 'application/json': { schema: { $ref: '#/components/schemas/Body' } } },
    }
    const document = openapi({ layout: 'object' })
    const paths = { ...document.paths, [preparePath]: { post: { requestBody: body } } }
    const components = { schemas: { Body: { properties: { layout } } } }
    expect(featuresOf({ ...document, paths, components }, 'none')).toMatchObject({ layout: 'id' })
  })

  it('tell pages of templates from a plain list', () => {
    const withList = (names: string[]) => {
      const route = { get: { parameters: names.map((name) => ({ name, in: 'query' })) } }
      return featuresOf(
        { ...openapi(), paths: { ...openapi().paths, '/api/v1/ppt/template/all': route } },
        'none',
      )?.templates
    }
    expect(withList(['page', 'page_size', 'default'])).toBe('paged')
    expect(withList(['include_defaults'])).toBe('list')
  })

  it.each([{}, { paths: {} }, { paths: null }, { paths: { [p]: {} } }, [], { paths: 'x' }])(
    'are none in %j',
    (document) => {
      expect(featuresOf(document, 'none')).toBeUndefined()
    },
  )

  it.each([
    [200, {}, undefined],
    [200, [], undefined],
    [503, undefined, undefined],
    [404, undefined, 'none'],
    [200, { configured: true, authenticated: true, username: 'electron', role: 'admin' }, 'none'],
    [200, { configured: true, authenticated: false, username: null }, 'basic'],
    [200, { configured: true, authenticated: false, username: null, role: null }, 'key'],
  ])('want of an auth status %i %j: %s', (status, body, kind) => {
    expect(
      authKindOf(status, body, { credentials: { username: 'a', password: 'b' }, apiKey: 'c' }),
    ).toBe(kind)
  })
})

describe('The upstream behind the address', () => {
  let upstream: Upstream
  let presenton: Presenton
  let time: number

  beforeEach(async () => {
    time = 0
    upstream = await openUpstream()
    open({})
  })

  afterEach(async () => {
    await presenton.close()
    await upstream.close()
  })

  function open(options: Partial<PresentonOptions>) {
    presenton = connect(upstream.url, { now: () => time, ...options })
  }

  const asked = () => upstream.to('/openapi.json').length
  const doExport = () =>
    presenton.exportDeck({ ...asShared, deckId: 'd', format: 'pptx', title: 't' })

  it('is asked once for all who wait, and again after ten minutes', async () => {
    expect(presenton.state()).toEqual({ breaker: 'closed', supported: undefined })
    await Promise.all([presenton.features(asShared.signal), presenton.features(asShared.signal)])
    expect(asked()).toBe(1)
    expect(presenton.state()).toEqual({ breaker: 'closed', supported: true })
    time += 10 * minute - 1
    await presenton.features(asShared.signal)
    expect(asked()).toBe(1)
    time += 1
    await presenton.features(asShared.signal)
    expect(asked()).toBe(2)
  })

  it('stays what it was while it cannot be asked', async () => {
    const features = await presenton.features(asShared.signal)
    time += 20 * minute
    upstream.answers['/openapi.json'] = json({}, 500)
    expect(await presenton.features(asShared.signal)).toEqual(features)
  })

  it('is asked again at a route that is gone, and the call is made once more in the new words', async () => {
    upstream.answers[editPath] = json({ path: '/app_data/exports/a.pptx' })
    expect(await doExport()).toEqual({ path: '/app_data/exports/a.pptx' })
    upstream.answers[editPath] = json({ detail: 'Method Not Allowed' }, 405)
    upstream.answers['/openapi.json'] = json(openapi({ more: [`${p}/{id}/export`] }))
    upstream.answers[deckExportPath] = json({ path: '/app_data/exports/b.pptx' })
    expect(await doExport()).toEqual({ path: '/app_data/exports/b.pptx' })
    expect(asked()).toBe(2)
  })

  it('is asked once more for all who meet the change at once', async () => {
    upstream.answers[editPath] = json({ path: '/app_data/exports/a.pptx' })
    await doExport()
    upstream.answers[editPath] = json({ detail: 'Not Found' }, 404)
    upstream.answers['/openapi.json'] = json(openapi({ more: [`${p}/{id}/export`] }))
    upstream.answers[deckExportPath] = json({ path: '/app_data/exports/b.pptx' })
    await Promise.all([doExport(), doExport(), doExport(), doExport()])
    expect(asked()).toBe(2)
  })

  it('is asked again at a body that is not taken, but not for each of them', async () => {
    upstream.answers[preparePath] = json(
      { detail: [{ loc: ['body', 'layout'], msg: 'Input should be a valid string' }] },
      422,
    )
    const prepare = () =>
      presenton.prepareDeck({
        ...asShared,
        deckId: 'd',
        outlines: ['a'],
        title: 't',
        templateId: 'x',
      })
    for (let i = 0; i < 5; i++)
      await expect(prepare()).rejects.toMatchObject({ code: 'UPSTREAM_REJECTED', failure: 'final' })
    expect(asked()).toBe(2)
    expect(upstream.to(preparePath)).toHaveLength(5)
  })

  it('may be too old, which is named and final', async () => {
    upstream.answers['/openapi.json'] = json({ paths: { [p]: {}, [`${p}/stream`]: {} } })
    const rejection = {
      code: 'UPSTREAM_REJECTED',
      failure: 'final',
      detail: expect.stringContaining('older than 0.5.14'),
    }
    await expect(doExport()).rejects.toMatchObject(rejection)
    await expect(presenton.ping({ signal: asShared.signal })).rejects.toMatchObject(rejection)
    expect(presenton.state()).toEqual({
      breaker: 'closed',
      supported: false,
      detail: 'Presenton older than 0.5.14',
    })
    upstream.answers['/openapi.json'] = json(openapi())
    await presenton.ping({ signal: asShared.signal })
    expect(presenton.state()).toEqual({ breaker: 'closed', supported: true })
  })

  it('may hide its document; then its kind of login tells the likeliest features', async () => {
    upstream.answers['/openapi.json'] = json({ detail: 'Not Found' }, 404)
    expect(await presenton.features(asShared.signal)).toMatchObject({
      layout: 'object',
      exportRoute: 'export',
      templates: 'groups',
    })
    upstream.answers['/api/v1/auth/status'] = json({
      configured: true,
      authenticated: true,
      role: 'admin',
    })
    open({})
    expect(await presenton.features(asShared.signal)).toMatchObject({
      layout: 'id',
      exportRoute: 'edit',
      templates: 'paged',
    })
    upstream.answers['/api/v1/auth/status'] = json({ configured: true, authenticated: true })
    open({})
    expect(await presenton.features(asShared.signal)).toMatchObject({
      layout: 'object',
      exportRoute: 'edit',
      templates: 'list',
    })
  })

  it('may be something else altogether, which is a fault and may pass', async () => {
    upstream.answers['/api/v1/auth/status'] = (response) => response.end('<html>We are back soon')
    await expect(presenton.features(asShared.signal)).rejects.toMatchObject({
      code: 'UPSTREAM_ERROR',
      failure: 'fault',
    })
  })

  it('may lie below a path', async () => {
    upstream.answers['/below/openapi.json'] = json(openapi())
    upstream.answers['/below/api/v1/auth/status'] = json({ detail: 'Not Found' }, 404)
    await presenton.close()
    presenton = connect(`${upstream.url}/below/`)
    expect(await presenton.features(asShared.signal)).toMatchObject({ auth: 'none' })
  })
})
