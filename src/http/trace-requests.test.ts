import { expect, test } from 'vitest'
import { createTrust } from './trace-requests.ts'

const networks = ['10.0.0.0/8', '192.0.2.7', '2001:db8::/32', '::1']

test.each([
  ['10.1.2.3', true],
  ['11.1.2.3', false],
  ['192.0.2.7', true],
  ['192.0.2.8', false],
  ['::ffff:192.0.2.7', true],
  ['2001:db8::5', true],
  ['2001:db9::5', false],
  ['::1', true],
  ['no address', false],
  [undefined, false],
])('of the networks of TRUST_PROXY, %s is one: %s', (address, isOne) => {
  expect(createTrust(networks)(address)).toBe(isOne)
})

test.each([
  [true, true],
  [1, true],
  [false, false],
  [0, false],
  [[], false],
])('TRUST_PROXY=%j trusts any peer: %s', (trustProxy, isTrusted) => {
  expect(createTrust(trustProxy)('203.0.113.9')).toBe(isTrusted)
})
