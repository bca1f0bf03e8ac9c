// The variables of the slide maker, and what the configuration makes of them. Where MAKER_PORT is
// not set there is no maker, and the others are not even read.

import { getDomain } from 'tldts'
import { boolean, integer, optional, or, origin, parseUrl, type Read } from './values.ts'

const noFrames: string[] = []

export const makerVariables = {
  MAKER_PORT: optional(integer(0, 65535)),
  // The interface lives at root-absolute paths, so it needs a whole origin.
  MAKER_URL: optional(origin),
  MAKER_SIGN_IN_URL: optional(signInUrl),
  MAKER_FRAME_ANCESTORS: or(noFrames, frameAncestors),
  MAKER_RATE_PER_MINUTE: or(1200, integer(1)),
  MAKER_GOOGLE_FONTS: or(false, boolean),
} satisfies Record<string, Read<unknown>>

type Values = {
  [Name in keyof typeof makerVariables]: ReturnType<(typeof makerVariables)[Name]>
}

/** Whether the variable is one that is ignored while the maker is off. */
export const isOfMaker = (name: string) => name.startsWith('MAKER_') && name !== 'MAKER_PORT'

/** Where a visitor without a session signs in; it may hold `{return_to}`. */
function signInUrl(text: string): string {
  parseUrl(text.replaceAll('{return_to}', 'here'))
  return text
}

function frameAncestors(text: string): string[] {
  if (text === "'none'" || text === 'none') return noFrames
  return text
    .split(/[\s,]+/)
    .filter(Boolean)
    .map(origin)
}

export function makerConfig(v: Values) {
  if (v.MAKER_PORT === undefined) return undefined
  return {
    port: v.MAKER_PORT,
    /** Undefined: localhost with the port. */
    url: v.MAKER_URL,
    /** `{return_to}` in it becomes the encoded URL of the maker that a visitor asked for. */
    signInUrl: v.MAKER_SIGN_IN_URL,
    /** The origins whose pages may embed it. */
    frameAncestors: v.MAKER_FRAME_ANCESTORS,
    ratePerMinute: v.MAKER_RATE_PER_MINUTE,
    hasGoogleFonts: v.MAKER_GOOGLE_FONTS,
  }
}

export type MakerConfig = NonNullable<ReturnType<typeof makerConfig>>

/** Where the maker is, with the port of its listener. */
export const makerUrlOf = ({ url }: Pick<MakerConfig, 'url'>, port: number) =>
  url ?? `http://localhost:${port}`

/** What is wrong with the origin of the maker, beside what each variable says of itself. */
export function findMakerProblems(
  v: Values & {
    PUBLIC_URL: string | undefined
    CORS_ORIGINS: readonly string[]
    PRESENTON_ACCOUNTS: 'shared' | 'per-user'
  },
): string[] {
  const { MAKER_PORT: port, PUBLIC_URL: publicUrl = 'http://localhost' } = v
  if (port === undefined) return []
  const maker = new URL(makerUrlOf({ url: v.MAKER_URL }, port))
  const { hostname } = new URL(publicUrl)
  const problems: string[] = []
  // One account for all would show everybody everything.
  if (v.PRESENTON_ACCOUNTS !== 'per-user')
    problems.push('MAKER_PORT requires PRESENTON_ACCOUNTS=per-user')
  // Cookies ignore ports: on one host, each side would send the other's.
  if (maker.hostname === hostname && !isLoopback(hostname))
    problems.push("MAKER_URL must have another host than PUBLIC_URL's")
  if (
    isLoopback(hostname) &&
    v.PUBLIC_URL !== undefined &&
    maker.origin === new URL(publicUrl).origin
  )
    problems.push('MAKER_URL must not be the origin of PUBLIC_URL')
  // What the model writes is shown on the maker's pages, which must not be able to use the API.
  if (v.CORS_ORIGINS.includes(maker.origin)) problems.push('MAKER_URL must not be in CORS_ORIGINS')
  // A frame of another site gets no cookie with SameSite=Lax.
  if (!v.MAKER_FRAME_ANCESTORS.every((ancestor) => isSameSite(new URL(ancestor), maker)))
    problems.push('MAKER_FRAME_ANCESTORS must be of the same site as MAKER_URL')
  return problems
}

function isLoopback(hostname: string): boolean {
  return /^(?:(?:[\w-]+\.)*localhost|127(?:\.\d+){3}|\[::1\])$/.test(hostname)
}

/** Schemeful, as browsers judge it for cookies. */
function isSameSite(one: URL, other: URL): boolean {
  const site = ({ hostname }: URL) => getDomain(hostname, { allowPrivateDomains: true }) ?? hostname
  return one.protocol === other.protocol && site(one) === site(other)
}
