import type { FastifyRequest } from 'fastify'
import { expect, test } from 'vitest'
import { readSessionId, sessionCookie } from './cookies.ts'

const https = 'https://maker.example.com'
const http = 'http://localhost:5000'
const id = 'a'.repeat(43)

const withCookie = (cookie: string) => ({ headers: { cookie } }) as FastifyRequest

test('over https no other host can plant the cookie, and no script can read it', () => {
  expect(sessionCookie(https, id)).toBe(
    `__Host-maker_session=${id}; Path=/; HttpOnly; SameSite=Lax; Secure`,
  )
  expect(sessionCookie(http, id)).toBe(`maker_session=${id}; Path=/; HttpOnly; SameSite=Lax`)
  expect(sessionCookie(https)).toBe(
    '__Host-maker_session=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; SameSite=Lax; Secure',
  )
})

test('only the name of the maker’s own scheme counts, and only once', () => {
  expect(readSessionId(withCookie(`a=b; __Host-maker_session=${id}`), https)).toBe(id)
  expect(readSessionId(withCookie(`maker_session=${id}`), http)).toBe(id)
  const refused = [
    [`maker_session=${id}`, https],
    [`__Host-maker_session=${id}`, http],
    [`gateway_session=${id}`, http],
    [`maker_session=${id}; maker_session=${id}`, http],
    [`maker_session=; maker_session=${id}`, http],
    [`__Host-maker_session=${id}; __Host-maker_session=x`, https],
    [`__Secure-maker_session=${id}`, https],
    [`maker_session="${id}"`, http],
    [`maker_session=${id}=`, http],
    ['maker_session=', http],
    ['', http],
  ] as const
  for (const [cookie, url] of refused)
    expect(readSessionId(withCookie(cookie), url), cookie).toBeUndefined()
})
