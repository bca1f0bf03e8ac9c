import { expect, it } from 'vitest'
import { filePolicy, isFile } from './file-policy.ts'

it.each([
  ['/app_data/images/*', 'image/svg+xml'],
  ['/app_data/images/*', 'text/html'],
  ['/app_data/templates/*', 'text/html; charset=utf-8'],
  ['/static/*', undefined],
  ['/api/update-svg', 'image/svg+xml'],
  ['/_next/image', 'image/png'],
  ['/_next/static/*', 'image/svg+xml'],
  ['/:file', 'image/svg+xml; charset=utf-8'],
])('is a file: %s of the type %s', (route, type) => {
  expect(isFile(route, type)).toBe(true)
})

it.each([
  ['/dashboard', 'text/html'],
  ['/presentation', 'text/x-component'],
  // A worker of the interface runs under the policy of its script.
  ['/_next/static/*', 'application/javascript'],
  ['/api/v1/ppt/template/all', 'application/json'],
])('serves without the policy of files: %s of the type %s', (route, type) => {
  expect(isFile(route, type)).toBe(false)
})

it('allows no script', () => {
  expect(filePolicy).toMatch(/^sandbox; default-src 'none'; style-src 'unsafe-inline';/)
  expect(filePolicy).not.toMatch(/script-src|allow-/)
})
