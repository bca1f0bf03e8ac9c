import { expect, it } from 'vitest'
import { etagOf, readIfMatch } from './preconditions.ts'

const read = (value?: string) =>
  readIfMatch({ headers: value === undefined ? {} : { 'if-match': value } })

it('is undefined without the header', () => {
  expect(read()).toBeUndefined()
})

it.each([
  [etagOf(3), true],
  ['*', true],
  [' "3" ', true],
  ['"2", "3"', true],
  ['"2","3",W/"4"', true],
  ['"2"', false],
  ['"33"', false],
  ['""', false],
  ['"03"', false],
  // RFC 9110, section 13.1.1: If-Match uses the strong comparison.
  ['W/"3"', false],
])('says whether revision 3 fulfils %s: %s', (header, matches) => {
  expect(read(header)?.(3)).toBe(matches)
})

it.each(['', '3', '"3', "'3'", '*, "3"', '"3" "4"', '"3",', 'w/"3"', `"${'3'.repeat(1_000)}"`])(
  'refuses %j',
  (header) => {
    expect(() => read(header)).toThrow(expect.objectContaining({ code: 'VALIDATION_FAILED' }))
  },
)
