import { describe, expect, it } from 'vitest'
import { authKindOf, featuresOf } from './dialect.ts'
import { openapi } from './fixtures/upstream.ts'

const presentation = '/api/v1/ppt/presentation'
const preparePath = `${presentation}/prepare`

describe('Features', () => {
  it('are read from routes and bodies, for any names of path parameters', () => {
    const document = openapi({
      morePaths: [`${presentation}/{presentation_id}/export`],
    })
    expect(featuresOf(document, 'cookie')).toEqual({
      auth: 'cookie',
      hasUsers: false,
      layout: 'id',
      exportRoute: 'deck-export',
      templates: 'groups',
      smart: false,
      slideEdit: null,
      hasSlideUpdate: false,
      hasBlankSlide: false,
    })
    expect(
      featuresOf(openapi({ layout: 'object', morePaths: [`${presentation}/export`] }), 'none'),
    ).toMatchObject({
      layout: 'object',
      exportRoute: 'export',
    })
    expect(featuresOf(openapi(), 'none')).toMatchObject({ exportRoute: 'edit' })
  })

  it('have layouts by id if upstream accepts both', () => {
    const layout = { anyOf: [{ $ref: '#/components/schemas/Layout' }, { type: 'string' }] }
    const body = {
      content: { 'application/json': { schema: { $ref: '#/components/schemas/Body' } } },
    }
    const document = openapi({ layout: 'object' })
    const paths = { ...document.paths, [preparePath]: { post: { requestBody: body } } }
    const components = { schemas: { Body: { properties: { layout } } } }
    expect(featuresOf({ ...document, paths, components }, 'none')).toMatchObject({ layout: 'id' })
  })

  it('distinguish a paged list of templates from a plain one', () => {
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

  it.each([
    {},
    { paths: {} },
    { paths: null },
    { paths: { [presentation]: {} } },
    [],
    { paths: 'x' },
  ])('are undefined for the document %j', (document) => {
    expect(featuresOf(document, 'none')).toBeUndefined()
  })

  it.each([
    [200, {}, undefined],
    [200, [], undefined],
    [503, undefined, undefined],
    [404, undefined, 'none'],
    [200, { configured: true, authenticated: true, username: 'electron', role: 'admin' }, 'none'],
    [200, { configured: true, authenticated: false, username: null }, 'basic'],
    [200, { configured: true, authenticated: false, username: null, role: null }, 'key'],
  ])('choose credentials for the auth status %i %j: %s', (status, body, kind) => {
    expect(
      authKindOf(status, body, { credentials: { username: 'a', password: 'b' }, apiKey: 'c' }),
    ).toBe(kind)
  })
})
