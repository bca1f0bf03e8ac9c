/**
 * Who may ask: upstream's logins as each shape has them, with the two limiters in front of the
 * login.
 *
 * T knows one admin (cookie, Bearer with the session's token, Basic). From 0.9.3 (B) only a cookie
 * or an `sk-presenton-` key counts; a good one of either outweighs a bad one of the other. Without
 * credentials login is disabled, as DISABLE_AUTH does.
 */

import { randomBytes, randomUUID } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { stamp } from './deck.ts'
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
  const keys = new Map(apiKeys.map((token) => [token, stamp()]))
  const failures: number[] = []
  /** nginx's leaky bucket: 10 a minute, 5 more at once. */
  const bucket = { level: 0, at: 0 }
  const enabled = credentials !== undefined || unconfigured
  const user = { id: randomUUID(), created_at: `${stamp()}+00:00` }

  const bearer = (headers: IncomingHttpHeaders) =>
    /^Bearer (.+)$/i.exec(headers.authorization ?? '')?.[1] ?? ''
  const isAdmin = (username: unknown, password: unknown) =>
    username === admin?.username && password === admin?.password

  const hasSession = (headers: IncomingHttpHeaders) => {
    const cookie = /(?:^|;\s*)presenton_session=([^;]+)/.exec(headers.cookie ?? '')?.[1]
    return cookie !== undefined && sessions.has(cookie)
  }

  const hasBasic = (headers: IncomingHttpHeaders) => {
    const encoded = /^Basic (.+)$/i.exec(headers.authorization ?? '')?.[1]
    if (!encoded) return false
    const [username, ...password] = Buffer.from(encoded, 'base64').toString().split(':')
    return isAdmin(username, password.join(':'))
  }

  return {
    userId: user.id,
    createdAt: user.created_at,
    enabled,
    configured: () => !enabled || admin !== undefined,
    username: () => admin?.username ?? 'electron',
    keys,

    /** How the caller proved who it is; undefined when not at all. */
    methodOf(
      headers: IncomingHttpHeaders,
      features: Features,
    ): 'jwt' | 'api_key' | 'none' | undefined {
      if (!enabled || features.auth === 'none') return 'none'
      if (hasSession(headers)) return 'jwt'
      if (features.auth === 'users') return keys.has(bearer(headers)) ? 'api_key' : undefined
      return sessions.has(bearer(headers)) || hasBasic(headers) ? 'jwt' : undefined
    },

    hasSession,

    /** False when an account exists already. */
    setUp(wanted: Credentials): boolean {
      if (admin) return false
      admin = wanted
      return true
    },

    /** False when nginx would turn the caller away (0.9.3: good logins count too). */
    admit(): boolean {
      const now = Date.now()
      bucket.level = Math.max(0, bucket.level - (now - bucket.at) / 6000)
      bucket.at = now
      if (bucket.level > 5) return false
      bucket.level++
      return true
    },

    /** A session's token; `limited` at the sixth try after five failures within five minutes. */
    logIn(username: unknown, password: unknown): string | 'refused' | 'limited' {
      const since = Date.now() - 300_000
      if (failures.filter((at) => at > since).length >= 5) return 'limited'
      if (!isAdmin(username, password)) {
        failures.push(Date.now())
        return 'refused'
      }
      failures.length = 0
      const token = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode({ sub: user.id, av: 1, aud: 'presenton' })}.${randomBytes(32).toString('base64url')}`
      sessions.add(token)
      return token
    },

    /** Every cookie and session token given so far is worth nothing. */
    dropSessions: () => sessions.clear(),
  }
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}
