// World options for each upstream shape, with the kind of credentials that the shape supports.

import type { Shape } from '../sandbox/presenton/stand-in.ts'
import type { WorldOptions } from './world.ts'

const password = 'gateway-password'
const apiKey = `sk-presenton-${'5eed'.repeat(10)}`

/** Whether the tests use a login with this shape. A1 has none; B1 is used with an API key. */
export const hasLogin = (shape: Shape) => shape === 'T' || shape === 'B2'

/** A1: no credentials; B1: API key; T and B2: login with user name and password. */
export function upstreamOptions(shape: Shape): WorldOptions {
  if (shape === 'A1') return { shape }
  const credentials = { username: 'gateway', password }
  if (!hasLogin(shape))
    return { shape, credentials, apiKeys: [apiKey], env: { PRESENTON_API_KEY: apiKey } }
  return {
    shape,
    credentials,
    env: { PRESENTON_USERNAME: credentials.username, PRESENTON_PASSWORD: password },
  }
}
