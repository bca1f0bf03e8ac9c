import { createRemoteJWKSet, decodeProtectedHeader, importSPKI, jwtVerify } from 'jose'
import { expect, test } from 'vitest'
import {
  createKeyPairSigner,
  createSecretSigner,
  createUnsignedToken,
  openTokenIssuer,
} from './tokens.ts'

test('a token is verified by the published keys, whichever algorithm signed it', async () => {
  const issuer = await openTokenIssuer()
  try {
    const { jwksUrl, audience } = issuer
    const keys = createRemoteJWKSet(new URL(jwksUrl))
    for (const alg of ['RS256', 'ES256']) {
      const token = await issuer.sign({ sub: 'ada', role: 'agent' }, { alg })
      const { payload, protectedHeader } = await jwtVerify(token, keys, {
        issuer: issuer.issuer,
        audience,
      })
      expect(protectedHeader.alg).toBe(alg)
      expect(payload).toMatchObject({ sub: 'ada', role: 'agent' })
      expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(3600)
    }
    expect(issuer.requests).toHaveLength(1)
  } finally {
    await issuer.close()
  }
})

test('rotation publishes new keys, keeps or forgets the old, and can keep the new ones back', async () => {
  const issuer = await openTokenIssuer()
  try {
    const kids = async () =>
      (
        (await (await fetch(issuer.jwksUrl)).json()) as { keys: { kid: string; d?: string }[] }
      ).keys.map(({ kid }) => kid)
    const kid = async () => decodeProtectedHeader(await issuer.sign({ sub: 'ada' })).kid
    const first = await kid()
    await issuer.rotate()
    expect(await kids()).toHaveLength(4)
    expect(await kids()).toContain(first)
    await issuer.rotate({ forget: true })
    expect(await kids()).toHaveLength(2)
    expect(await kids()).toContain(await kid())
    await issuer.rotate({ unpublished: true })
    expect(await kids()).not.toContain(await kid())
  } finally {
    await issuer.close()
  }
})

test('while the issuer is down its keys cannot be had, and later they can', async () => {
  const issuer = await openTokenIssuer()
  try {
    await issuer.down()
    await expect(fetch(issuer.jwksUrl)).rejects.toThrow()
    await issuer.up()
    expect((await fetch(issuer.jwksUrl)).status).toBe(200)
  } finally {
    await issuer.close()
  }
})

test('claims can be left out, and a token can be expired from the start', async () => {
  const { secret, sign } = createSecretSigner()
  const key = new TextEncoder().encode(secret)
  const { payload } = await jwtVerify(await sign({ sub: 'ada', exp: undefined }), key)
  expect(payload).not.toHaveProperty('exp')
  await expect(
    jwtVerify(await sign({ sub: 'ada', expiresInSeconds: -60 }), key),
  ).rejects.toMatchObject({
    code: 'ERR_JWT_EXPIRED',
  })
})

test.each(['RS256', 'ES256', 'EdDSA', 'PS256'] as const)(
  'a %s key pair comes with its public half as PEM',
  async (alg) => {
    const { publicKeyPem, sign } = await createKeyPairSigner(alg)
    const { payload } = await jwtVerify(
      await sign({ sub: 'ada' }),
      await importSPKI(publicKeyPem, alg),
    )
    expect(payload.sub).toBe('ada')
  },
)

test('an unsigned token says so', () => {
  expect(decodeProtectedHeader(createUnsignedToken({ sub: 'ada' })).alg).toBe('none')
})
