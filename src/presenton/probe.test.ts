import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Presenton, PresentonOptions } from './client.ts'
import {
  asShared,
  json,
  openapi,
  openClient,
  openUpstream,
  type Upstream,
} from './fixtures/upstream.ts'

const presentation = '/api/v1/ppt/presentation'
const preparePath = `${presentation}/prepare`
const editPath = `${presentation}/edit`
const exportPath = `${presentation}/export`
const deckExportPath = `${presentation}/d/export`
const minute = 60_000

let upstream: Upstream
let presenton: Presenton
let time: number

beforeEach(async () => {
  time = 0
  upstream = await openUpstream()
  open()
})

afterEach(async () => {
  await presenton.close()
  await upstream.close()
})

function open(options: Partial<PresentonOptions> = {}) {
  presenton = openClient(upstream.url, { now: () => time, ...options })
}

const probes = () => upstream.requestsTo('/openapi.json').length
const ping = () => presenton.ping(asShared)
const exportDeck = () =>
  presenton.exportDeck({ ...asShared, deckId: 'd', format: 'pptx', title: 't' })

/** The requests by which the features show: for a layout, for an export, for the templates. */
async function usedRoutes() {
  const before = upstream.requests.length
  const prepare = { ...asShared, deckId: 'd', outlines: ['a'], title: 't', templateId: 'x' }
  await presenton.prepareDeck(prepare).catch(() => undefined)
  await exportDeck().catch(() => undefined)
  await presenton.listTemplates(asShared).catch(() => undefined)
  const paths = upstream.requests.slice(before).map(({ path }) => path)
  return paths.filter((path) => path !== '/openapi.json' && path !== '/api/v1/auth/status')
}

describe('The probe of upstream', () => {
  it('is shared by concurrent calls, and repeated after ten minutes', async () => {
    expect(presenton.state()).toEqual({ breaker: 'closed', supported: undefined })
    await Promise.all([ping(), ping()])
    expect(probes()).toBe(1)
    expect(presenton.state()).toEqual({ breaker: 'closed', supported: true })
    time += 10 * minute - 1
    await ping()
    expect(probes()).toBe(1)
    time += 1
    await ping()
    expect(probes()).toBe(2)
  })

  it('keeps the known features while it fails', async () => {
    const routes = await usedRoutes()
    time += 20 * minute
    upstream.handlers['/openapi.json'] = json({}, 500)
    await ping()
    expect(probes()).toBeGreaterThan(1)
    expect(await usedRoutes()).toEqual(routes)
  })

  it('is repeated after a missing route, and the call is repeated with the new features', async () => {
    upstream.handlers[editPath] = json({ path: '/app_data/exports/a.pptx' })
    expect(await exportDeck()).toEqual({ path: '/app_data/exports/a.pptx' })
    upstream.handlers[editPath] = json({ detail: 'Method Not Allowed' }, 405)
    upstream.handlers['/openapi.json'] = json(
      openapi({ morePaths: [`${presentation}/{id}/export`] }),
    )
    upstream.handlers[deckExportPath] = json({ path: '/app_data/exports/b.pptx' })
    expect(await exportDeck()).toEqual({ path: '/app_data/exports/b.pptx' })
    expect(probes()).toBe(2)
  })

  it('is repeated once for concurrent calls that notice a change', async () => {
    upstream.handlers[editPath] = json({ path: '/app_data/exports/a.pptx' })
    await exportDeck()
    upstream.handlers[editPath] = json({ detail: 'Not Found' }, 404)
    upstream.handlers['/openapi.json'] = json(
      openapi({ morePaths: [`${presentation}/{id}/export`] }),
    )
    upstream.handlers[deckExportPath] = json({ path: '/app_data/exports/b.pptx' })
    await Promise.all([exportDeck(), exportDeck(), exportDeck(), exportDeck()])
    expect(probes()).toBe(2)
  })

  it('is repeated after a rejected body, but not for each of them', async () => {
    upstream.handlers[preparePath] = json(
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
    expect(probes()).toBe(2)
    expect(upstream.requestsTo(preparePath)).toHaveLength(5)
  })

  it('reports an unsupported version, with which calls fail for good', async () => {
    upstream.handlers['/openapi.json'] = json({
      paths: { [presentation]: {}, [`${presentation}/stream`]: {} },
    })
    const rejection = {
      code: 'UPSTREAM_REJECTED',
      failure: 'final',
      detail: expect.stringContaining('older than 0.5.14'),
    }
    await expect(exportDeck()).rejects.toMatchObject(rejection)
    await expect(ping()).rejects.toMatchObject(rejection)
    expect(presenton.state()).toEqual({
      breaker: 'closed',
      supported: false,
      detail: 'Presenton older than 0.5.14',
    })
    upstream.handlers['/openapi.json'] = json(openapi())
    await ping()
    expect(presenton.state()).toEqual({ breaker: 'closed', supported: true })
  })

  it('guesses the features from the kind of login if there is no OpenAPI document', async () => {
    upstream.handlers['/openapi.json'] = json({ detail: 'Not Found' }, 404)
    upstream.handlers[`${presentation}/update`] = json({})
    upstream.handlers['/api/template?group='] = json({ slides: [{}] })
    upstream.handlers['/api/v1/ppt/template/x'] = json({ slides: [{}] })
    await ping()
    expect(await usedRoutes()).toEqual(
      expect.arrayContaining(['/api/template?group=x', exportPath, '/api/templates']),
    )
    expect(preparedLayout()).toEqual({ slides: [{}] })

    await reopen({ configured: true, authenticated: true, role: 'admin' })
    expect(await usedRoutes()).toEqual(
      expect.arrayContaining([editPath, '/api/v1/ppt/template/all?page=1&page_size=100']),
    )
    expect(preparedLayout()).toBe('x')

    await reopen({ configured: true, authenticated: true })
    expect(await usedRoutes()).toEqual(
      expect.arrayContaining([editPath, '/api/v1/ppt/template/all?include_defaults=true']),
    )
    expect(preparedLayout()).toEqual({ slides: [{}] })
  })

  async function reopen(authStatus: object) {
    upstream.handlers['/api/v1/auth/status'] = json(authStatus)
    await presenton.close()
    open()
  }
  const preparedLayout = () =>
    JSON.parse(upstream.requestsTo(preparePath).at(-1)?.body ?? 'null').layout

  it('fails with a fault, which may pass, if the address leads to another service', async () => {
    upstream.handlers['/api/v1/auth/status'] = (response) => response.end('<html>We are back soon')
    await expect(ping()).rejects.toMatchObject({ code: 'UPSTREAM_ERROR', failure: 'fault' })
  })

  it('works below a path', async () => {
    upstream.handlers['/below/openapi.json'] = json(openapi())
    upstream.handlers['/below/api/v1/auth/status'] = json({ detail: 'Not Found' }, 404)
    await presenton.close()
    presenton = openClient(`${upstream.url}/below/`)
    await ping()
    expect(presenton.state().supported).toBe(true)
    expect(upstream.requests.every(({ path }) => path.startsWith('/below/'))).toBe(true)
    expect(upstream.requests.every(({ headers }) => !headers.authorization)).toBe(true)
  })
})
