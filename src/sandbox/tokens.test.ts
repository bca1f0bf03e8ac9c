import { createRemoteJWKSet, decodeProtectedHeader, importSPKI, jwtVerify } from 'jose'
import { expect, test } from 'vitest'
import {
  createKeyPairSigner,
  createSecretSigner,
  createUnsignedToken,
  openTokenIssuer,
} from './tokens.ts'

test('signs tokens that the published keys verify, with each algorithm', async () => {
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

test('rotates keys, and publishes old and new ones as requested', async () => {
  const issuer = await openTokenIssuer()
  try {
    const publishedKids = async () =>
      (
        (await (await fetch(issuer.jwksUrl)).json()) as { keys: { kid: string; d?: string }[] }
      ).keys.map(({ kid }) => kid)
    const signingKid = async () => decodeProtectedHeader(await issuer.sign({ sub: 'ada' })).kid
    const first = await signingKid()
    await issuer.rotate()
    expect(await publishedKids()).toHaveLength(4)
    expect(await publishedKids()).toContain(first)
    await issuer.rotate({ publishOld: false })
    expect(await publishedKids()).toHaveLength(2)
    expect(await publishedKids()).toContain(await signingKid())
    await issuer.rotate({ publishNew: false })
    expect(await publishedKids()).not.toContain(await signingKid())
  } finally {
    await issuer.close()
  }
})

test('refuses requests for keys while the issuer is down, and serves them later', async () => {
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

test('omits claims on request, and makes expired tokens', async () => {
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
  'gives the public key of a %s key pair as PEM',
  async (alg) => {
    const { publicKeyPem, sign } = await createKeyPairSigner(alg)
    const { payload } = await jwtVerify(
      await sign({ sub: 'ada' }),
      await importSPKI(publicKeyPem, alg),
    )
    expect(payload.sub).toBe('ada')
  },
)

test('makes a token whose header says that it is unsigned', () => {
  expect(decodeProtectedHeader(createUnsignedToken({ sub: 'ada' })).alg).toBe('none')
})
