// What is counted, logged and shown of refused tokens, with a clock of its own.

import { createHmac } from 'node:crypto'
import { beforeEach, expect, test } from 'vitest'
import { createLogger } from '../telemetry/logging.ts'
import { createTroubles } from '../telemetry/troubles.ts'
import { createRefusalReports } from './refusals.ts'
import { createTokenVerifier } from './tokens.ts'

const secret = 'a shared secret of more than 32 bytes'
const auth = {
  keySources: [{ kind: 'secret', secret } as const],
  issuer: 'https://issuer.example/',
  audience: ['slides'],
}
const minuteMs = 60_000

let nowMs: number
let lines: Record<string, unknown>[]
let counts: Record<string, number>
let troubles: ReturnType<typeof createTroubles>
let verify: ReturnType<typeof createTokenVerifier>

beforeEach(() => {
  nowMs = Date.parse('2026-11-20T12:00:00Z')
  lines = []
  counts = {}
  const now = () => nowMs
  const logger = createLogger(
    { logLevel: 'info' },
    { write: (line: string) => void lines.push(JSON.parse(line)) },
  )
  troubles = createTroubles({ logger, now })
  const count = (reason: string) => {
    counts[reason] = (counts[reason] ?? 0) + 1
  }
  verify = createTokenVerifier(auth, {
    now,
    ...createRefusalReports({ auth, logger, troubles, count, now }),
  })
})

const encode = (part: unknown) => Buffer.from(JSON.stringify(part)).toString('base64url')

/** A token that fits; claims that are `undefined` are left out. */
function signed(claims: Record<string, unknown> = {}, header: object = { alg: 'HS256' }) {
  const payload = { iss: auth.issuer, aud: 'slides', sub: 'PLANTED', exp: nowMs / 1000 + 600 }
  const text = `${encode(header)}.${encode({ ...payload, ...claims })}`
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`
}

const refuse = (token: string) =>
  expect(verify(token)).rejects.toMatchObject({ code: 'AUTHENTICATION_FAILED' })

const at = (seconds: number) => Date.parse('2026-11-20T12:00:00Z') / 1000 + seconds

/** Correctly signed, but not what the gateway is configured for. */
const mismatches: [string, Record<string, unknown>, string, string, RegExp][] = [
  ['another audience', { aud: 'PLANTED' }, 'audience', 'AUTH_AUDIENCE', /names none of/],
  ['other audiences', { aud: ['account', 'PLANTED'] }, 'audience', 'AUTH_AUDIENCE', /names none/],
  [
    'azp but no aud',
    { aud: undefined, azp: 'slides' },
    'audience',
    'AUTH_AUDIENCE',
    /no aud claim/,
  ],
  [
    'client_id but no aud',
    { aud: undefined, client_id: 'slides' },
    'audience',
    'AUTH_AUDIENCE',
    /no aud/,
  ],
  ['another issuer', { iss: 'https://PLANTED' }, 'issuer', 'AUTH_ISSUER', /is not AUTH_ISSUER/],
  ['no slash', { iss: 'https://issuer.example' }, 'issuer', 'AUTH_ISSUER', /only by a slash/],
  ['no issuer', { iss: undefined }, 'issuer', 'AUTH_ISSUER', /is not AUTH_ISSUER/],
  ['no sub', { sub: undefined }, 'subject', 'AUTH_JWT_SECRET', /no sub claim.*Keycloak/],
  ['a numeric sub', { sub: 42 }, 'subject', 'AUTH_JWT_SECRET', /sub claim is not/],
  ['a sub with other letters', { sub: 'PLANTEDä' }, 'subject', 'AUTH_JWT_SECRET', /ASCII/],
  ['no exp', { exp: undefined }, 'claims', 'AUTH_JWT_SECRET', /exp claim is missing/],
  ['exp as text', { exp: String(at(600)) }, 'claims', 'AUTH_JWT_SECRET', /not a number/],
  ['iat as text', { iat: '2026-11-20' }, 'claims', 'AUTH_JWT_SECRET', /not a number/],
]

test.each(mismatches)(
  'shows a correctly signed token with %s as a trouble of the issuer',
  async (_what, claims, reason, variable, detail) => {
    await refuse(signed(claims))
    await refuse(signed(claims))
    expect(counts).toEqual({ [reason]: 2 })
    const trouble = { reason: 'tokens_refused', variable, detail: expect.stringMatching(detail) }
    expect(troubles.of('issuer')).toEqual(trouble)
    expect(lines).toEqual([
      expect.objectContaining({
        level: 'warn',
        part: 'issuer',
        reason: 'tokens_refused',
        variable,
      }),
    ])
    expect(JSON.stringify(lines)).not.toMatch(/PLANTED|eyJ/)
  },
)

/** What any client can send, and what happens every day. */
const others: [string, () => string, string, string][] = [
  ['no token', () => 'PLANTED', 'malformed', 'warn'],
  ['a broken token', () => `${encode({ alg: 'HS256' })}.PLANTED.x`, 'malformed', 'warn'],
  ['a token of 17 KiB', () => signed({ x: 'x'.repeat(17_000) }), 'malformed', 'warn'],
  ['an encrypted token', () => 'eyJhbGciOiJkaXIifQ..PLANTED.a.b', 'malformed', 'warn'],
  [
    'critical extensions',
    () => signed({}, { alg: 'HS256', crit: ['x'], x: 1 }),
    'malformed',
    'warn',
  ],
  ['another algorithm', () => signed({}, { alg: 'RS256' }), 'algorithm', 'warn'],
  ['no algorithm', () => signed({}, { alg: 'none' }), 'algorithm', 'warn'],
  ['a wrong signature', () => `${signed().slice(0, -6)}AAAAAA`, 'signature', 'warn'],
  ['an expired token', () => signed({ exp: nowMs / 1000 - 31 }), 'expired', 'info'],
  ['a token of the future', () => signed({ nbf: nowMs / 1000 + 31 }), 'not_yet_valid', 'warn'],
]

test.each(others)(
  'counts and logs %s once a minute, and shows no trouble',
  async (_what, token, reason, level) => {
    for (let i = 0; i < 5; i++) await refuse(token())
    expect(counts).toEqual({ [reason]: 5 })
    expect(troubles.of('issuer')).toBeUndefined()
    expect(lines).toEqual([
      expect.objectContaining({ level, reason, msg: expect.stringMatching(/^refused a token: /) }),
    ])
    expect(lines[0]).toHaveProperty('variable', 'AUTH_JWT_SECRET')
    expect(JSON.stringify(lines)).not.toMatch(/PLANTED|eyJ/)
    nowMs += minuteMs
    await refuse(token())
    expect(lines).toHaveLength(2)
  },
)

test('accepts what providers put into tokens besides', async () => {
  for (const claims of [
    { aud: ['account', 'slides'], azp: 'web' },
    { exp: at(600) + 0.5, iat: at(0) + 0.25, nbf: at(29) },
    { iat: at(86_400) },
    { groups: Array.from({ length: 200 }, () => crypto.randomUUID()) },
    { sub: 'auth0|5f7c' },
  ])
    await expect(verify(signed(claims, { alg: 'HS256', typ: 'at+jwt' }))).resolves.toBeDefined()
  expect(counts).toEqual({})
})

test('each mismatch has a line of its own', async () => {
  await refuse(signed({ aud: 'other' }))
  await refuse(signed({ iss: 'other' }))
  await refuse(signed({ sub: undefined }))
  await refuse(signed({ aud: 'other' }))
  expect(lines.map(({ variable }) => variable)).toEqual([
    'AUTH_AUDIENCE',
    'AUTH_ISSUER',
    'AUTH_JWT_SECRET',
  ])
})

test('an accepted token ends the trouble, and tokens of other clients then only get a line', async () => {
  await refuse(signed({ aud: 'other' }))
  expect(troubles.of('issuer')).toBeDefined()
  await verify(signed())
  expect(troubles.of('issuer')).toBeUndefined()
  const logged = lines.length
  for (let minutes = 1; minutes < 10; minutes++) {
    nowMs += minuteMs
    for (let i = 0; i < 5; i++) await refuse(signed({ aud: 'other' }))
    expect(troubles.of('issuer')).toBeUndefined()
    expect(lines).toHaveLength(logged + minutes)
  }
  expect(lines.at(-1)).toMatchObject({
    level: 'warn',
    reason: 'audience',
    variable: 'AUTH_AUDIENCE',
  })
  nowMs += minuteMs
  await refuse(signed({ aud: 'other' }))
  expect(troubles.of('issuer')).toMatchObject({ variable: 'AUTH_AUDIENCE' })
})
