// What becomes of the addresses in requests and in upstream's redirects.

import { expect, it } from 'vitest'
import { ownLocation } from './pass-through.ts'
import { cleanQuery } from './query.ts'

const upstreamUrl = 'http://presenton:8080'

it('keeps redirects on the maker’s origin', () => {
  expect(ownLocation('/dashboard?a=1', upstreamUrl)).toBe('/dashboard?a=1')
  expect(ownLocation(`${upstreamUrl}/upload`, upstreamUrl)).toBe('/upload')
})

it.each([
  'https://evil.example/',
  '//evil.example/',
  '/\\evil.example/',
  `${upstreamUrl}//evil.example/`,
  '/.//evil.example/',
  'javascript:alert(1)',
  'http://[',
])('refuses the redirect %s', (location) => {
  expect(() => ownLocation(location, upstreamUrl)).toThrow(
    expect.objectContaining({ code: 'UPSTREAM_ERROR' }),
  )
})

it('removes parameters in every spelling', () => {
  expect(cleanQuery('/presentation?id=1')).toBeUndefined()
  expect(cleanQuery('/presentation')).toBeUndefined()
  expect(cleanQuery('/presentation?id=1&FastApi%55rl=x&exportsession=y')).toBe('id=1')
  expect(cleanQuery('/presentation?fastapiUrl=x')).toBe('')
})
