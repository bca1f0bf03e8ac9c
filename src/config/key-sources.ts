// Where the keys come from that verify tokens.

export type KeySource =
  | { kind: 'jwks'; url: string }
  | { kind: 'secret'; secret: string }
  | { kind: 'public-key'; pem: string }

export interface KeyVariables {
  AUTH_JWKS_URL: string | undefined
  AUTH_JWT_SECRET: string | undefined
  AUTH_JWT_PUBLIC_KEY: string | undefined
}

export function keySources(v: KeyVariables): KeySource[] {
  const sources: KeySource[] = []
  if (v.AUTH_JWKS_URL !== undefined) sources.push({ kind: 'jwks', url: v.AUTH_JWKS_URL })
  if (v.AUTH_JWT_SECRET !== undefined) sources.push({ kind: 'secret', secret: v.AUTH_JWT_SECRET })
  if (v.AUTH_JWT_PUBLIC_KEY !== undefined)
    sources.push({ kind: 'public-key', pem: v.AUTH_JWT_PUBLIC_KEY })
  return sources
}
