// Where a visitor without a session signs in. The page there gets the address to come back to.

import type { FastifyRequest } from 'fastify'
import { returnToOf } from './return-to.ts'

export interface SignInOptions {
  signInUrl: string | undefined
  makerUrl: () => string
}

/** Returns the URL for a request; undefined where no page to sign in is known. */
export function createSignIn({ signInUrl, makerUrl }: SignInOptions) {
  return ({ url }: Pick<FastifyRequest, 'url'>): string | undefined => {
    const returnTo = `${makerUrl()}${returnToOf(url, makerUrl())}`
    return signInUrl?.replaceAll('{return_to}', encodeURIComponent(returnTo))
  }
}
