/**
 * Upstream's accounts in each shape, and the two rate limits of its login.
 *
 * T has one admin: session cookie, Bearer with the session's token, or Basic. B has session cookies
 * and `sk-presenton-` keys; one valid credential suffices. Without credentials, login is disabled,
 * as with DISABLE_AUTH.
 */

import { randomBytes, randomUUID } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { timestamp } from './deck.ts'
import type { Features } from './shape.ts'

export type Credentials = { username: string; password: string }

export type AccountOptions = {
  credentials: Credentials | undefined
  apiKeys: readonly string[]
  unconfigured: boolean
}

export type Accounts = ReturnType<typeof createAccounts>

export function createAccounts({ credentials, apiKeys, unconfigured }: AccountOptions) {
  let admin = credentials
  const sessions = new Set<string>()
  const keys = new Map(apiKeys.map((token) => [token, timestamp()]))
  /** When each failed login happened. */
  const failures: number[] = []
  /** nginx's leaky bucket: 10 requests a minute, a burst of 5. */
  const bucket = { level: 0, at: 0 }
  const isEnabled = credentials !== undefined || unconfigured
  const user = { id: randomUUID(), created_at: `${timestamp()}+00:00` }

  const bearerToken = (headers: IncomingHttpHeaders) =>
    /^Bearer (.+)$/i.exec(headers.authorization ?? '')?.[1] ?? ''
  const isAdmin = (username: unknown, password: unknown) =>
    username === admin?.username && password === admin?.password

  const hasSession = (headers: IncomingHttpHeaders) => {
    const cookie = /(?:^|;\s*)presenton_session=([^;]+)/.exec(headers.cookie ?? '')?.[1]
    return cookie !== undefined && sessions.has(cookie)
  }

  const hasBasicAuth = (headers: IncomingHttpHeaders) => {
    const encoded = /^Basic (.+)$/i.exec(headers.authorization ?? '')?.[1]
    if (!encoded) return false
    const [username, ...password] = Buffer.from(encoded, 'base64').toString().split(':')
    return isAdmin(username, password.join(':'))
  }

  return {
    userId: user.id,
    createdAt: user.created_at,
    isEnabled,
    isConfigured: () => !isEnabled || admin !== undefined,
    username: () => admin?.username ?? 'electron',
    keys,

    /** How the request is authenticated, in upstream's words; undefined when it is not. */
    authMethodOf(
      headers: IncomingHttpHeaders,
      features: Features,
    ): 'jwt' | 'api_key' | 'none' | undefined {
      if (!isEnabled || features.auth === 'none') return 'none'
      if (hasSession(headers)) return 'jwt'
      if (features.auth === 'users') return keys.has(bearerToken(headers)) ? 'api_key' : undefined
      return sessions.has(bearerToken(headers)) || hasBasicAuth(headers) ? 'jwt' : undefined
    },

    hasSession,

    /** False when an account exists already. */
    setUp(wanted: Credentials): boolean {
      if (admin) return false
      admin = wanted
      return true
    },

    /** False when nginx rejects the login request; in 0.9.3 successful logins count too. */
    countLoginRequest(): boolean {
      const now = Date.now()
      bucket.level = Math.max(0, bucket.level - (now - bucket.at) / 6000)
      bucket.at = now
      if (bucket.level > 5) return false
      bucket.level++
      return true
    },

    /** The session's token; `limited` after five failures within five minutes. */
    logIn(username: unknown, password: unknown): string | 'refused' | 'limited' {
      const since = Date.now() - 300_000
      if (failures.filter((at) => at > since).length >= 5) return 'limited'
      if (!isAdmin(username, password)) {
        failures.push(Date.now())
        return 'refused'
      }
      failures.length = 0
      const header = encode({ alg: 'HS256', typ: 'JWT' })
      const claims = encode({ sub: user.id, av: 1, aud: 'presenton' })
      const token = `${header}.${claims}.${randomBytes(32).toString('base64url')}`
      sessions.add(token)
      return token
    },

    /** An operator changes the admin's password, or takes the account away. */
    setAdmin(next: Credentials | undefined): void {
      admin = next
      sessions.clear()
    },

    /** Invalidates all session cookies and tokens. */
    dropSessions: () => sessions.clear(),
  }
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}
