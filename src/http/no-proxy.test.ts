import { expect, it } from 'vitest'
import { isNamedBy } from './no-proxy.ts'

it.each([
  ['*', 'https://issuer.example/keys', true],
  ['issuer.example', 'https://issuer.example/keys', true],
  ['ISSUER.example', 'https://issuer.EXAMPLE/keys', true],
  ['example', 'https://issuer.example/keys', true],
  ['.example', 'https://issuer.example/keys', true],
  ['*.example', 'https://issuer.example/keys', true],
  ['ssuer.example', 'https://issuer.example/keys', false],
  ['issuer.example', 'https://issuer.example.org/keys', false],
  ['issuer.example.', 'https://issuer.example/keys', true],
  ['issuer.example', 'https://issuer.example./keys', true],
  ['issuer.example:443', 'https://issuer.example/keys', true],
  ['issuer.example:80', 'https://issuer.example/keys', false],
  ['issuer.example:8443', 'https://issuer.example:8443/keys', true],
  ['.example:80', 'http://issuer.example/keys', true],
  ['127.0.0.1', 'http://127.0.0.1:8080/keys', true],
  ['127.0.0.1:8080', 'http://127.0.0.1:8080/keys', true],
  ['127.0.0.1:81', 'http://127.0.0.1:8080/keys', false],
  ['0.0.1', 'http://127.0.0.1/keys', false],
  ['10.0.0.0/8', 'http://10.1.2.3/keys', true],
  ['10.0.0.0/8', 'http://11.1.2.3/keys', false],
  ['10.0.0.0/8', 'http://issuer.example/keys', false],
  ['::1', 'http://[::1]:8080/keys', true],
  ['[::1]', 'http://[::1]/keys', true],
  ['[::1]:8080', 'http://[::1]:8080/keys', true],
  ['[::1]:81', 'http://[::1]:8080/keys', false],
  ['0:0:0:0:0:0:0:1', 'http://[::1]/keys', true],
  ['fd00::/8', 'http://[fd12::1]/keys', true],
  ['fd00::/8', 'http://10.0.0.1/keys', false],
  ['10.0.0.0/99', 'http://10.0.0.1/keys', false],
  ['/', 'http://issuer.example/keys', false],
  ['.', 'http://issuer.example/keys', false],
  [':80', 'http://issuer.example/keys', false],
  ['a:b:c', 'http://issuer.example/keys', false],
])('NO_PROXY=%s and %s: %s', (entry, url, expected) => {
  expect(isNamedBy([entry], new URL(url))).toBe(expected)
  expect(isNamedBy(['other.invalid', entry], new URL(url))).toBe(expected)
})

it('names nothing without entries', () => {
  expect(isNamedBy([], new URL('http://issuer.example'))).toBe(false)
})
