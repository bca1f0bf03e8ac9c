/**
 * Upstream's accounts in each shape, and the two rate limits of its login.
 *
 * T has one admin: session cookie, Bearer with the session's token, or Basic. B has an admin and
 * users, session cookies, and the admin's `sk-presenton-` keys; one valid credential suffices.
 * Without credentials, login is disabled, as with DISABLE_AUTH.
 */

import { randomBytes, randomUUID } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { timestamp } from './deck.ts'
import type { Features } from './shape.ts'

export type Credentials = { username: string; password: string }

export type LoginLimit = { perMinute: number; burst: number }

export type AccountOptions = {
  credentials: Credentials | undefined
  apiKeys: readonly string[]
  unconfigured: boolean
  /** nginx's; without it logins are not limited there. */
  loginLimit: LoginLimit | undefined
}

export type User = {
  id: string
  username: string
  password: string
  role: 'admin' | 'user'
  created_at: string
}

export type Accounts = ReturnType<typeof createAccounts>

export function createAccounts({ credentials, apiKeys, unconfigured, loginLimit }: AccountOptions) {
  /** By the name in lower case: names that differ in case alone are the same. */
  const users = new Map<string, User>()
  /** Who each session belongs to. An account may have several. */
  const sessions = new Map<string, User>()
  const keys = new Map(apiKeys.map((token) => [token, timestamp()]))
  /** When each failed login of a name happened. */
  const failures = new Map<string, number[]>()
  const bucket = { level: 0, at: 0 }
  const isEnabled = credentials !== undefined || unconfigured
  const adminId = randomUUID()
  const adminCreatedAt = `${timestamp()}+00:00`
  /** Whose requests are not checked at all. */
  const electron: User = {
    id: adminId,
    username: 'electron',
    password: '',
    role: 'admin',
    created_at: adminCreatedAt,
  }
  if (credentials) add({ ...credentials, id: adminId, role: 'admin', created_at: adminCreatedAt })

  function add(user: User): User {
    users.set(user.username.toLowerCase(), user)
    return user
  }

  const findAdmin = () => [...users.values()].find(({ role }) => role === 'admin')

  function endSessions(of: User): void {
    for (const [token, user] of sessions) if (user === of) sessions.delete(token)
  }

  function remove(user: User): void {
    users.delete(user.username.toLowerCase())
    endSessions(user)
  }

  function sessionUser({ cookie = '' }: IncomingHttpHeaders): User | undefined {
    return sessions.get(/(?:^|;\s*)presenton_session=([^;]+)/.exec(cookie)?.[1] ?? '')
  }

  const bearerToken = ({ authorization = '' }: IncomingHttpHeaders) =>
    /^Bearer (.+)$/i.exec(authorization)?.[1] ?? ''

  function basicUser({ authorization = '' }: IncomingHttpHeaders): User | undefined {
    const encoded = /^Basic (.+)$/i.exec(authorization)?.[1]
    if (!encoded) return undefined
    const [username, ...password] = Buffer.from(encoded, 'base64').toString().split(':')
    const admin = findAdmin()
    const isRight = username === admin?.username && password.join(':') === admin?.password
    return isRight ? admin : undefined
  }

  /** Who sends a request, and how that is proved in upstream's words. */
  function callerOf(
    headers: IncomingHttpHeaders,
    { auth }: Features,
  ): { user: User; method: 'jwt' | 'api_key' } | undefined {
    if (!isEnabled || auth === 'none') return { user: electron, method: 'jwt' }
    const user = sessionUser(headers)
    if (user) return { user, method: 'jwt' }
    if (auth === 'users') {
      const admin = keys.has(bearerToken(headers)) ? findAdmin() : undefined
      return admin && { user: admin, method: 'api_key' }
    }
    const other = sessions.get(bearerToken(headers)) ?? basicUser(headers)
    return other && { user: other, method: 'jwt' }
  }

  return {
    adminId,
    isEnabled,
    isConfigured: () => !isEnabled || users.size > 0,
    keys,
    callerOf,
    sessionUser: (headers: IncomingHttpHeaders) => (isEnabled ? sessionUser(headers) : electron),

    /** False when an account exists already. */
    setUp(wanted: Credentials): boolean {
      if (users.size > 0) return false
      add({ ...wanted, id: adminId, role: 'admin', created_at: adminCreatedAt })
      return true
    },

    /** False when nginx rejects a request to the login: its leaky bucket counts all of them. */
    countLoginRequest(): boolean {
      if (!loginLimit) return true
      const now = Date.now()
      bucket.level = Math.max(0, bucket.level - ((now - bucket.at) * loginLimit.perMinute) / 60_000)
      bucket.at = now
      if (bucket.level > loginLimit.burst) return false
      bucket.level++
      return true
    },

    /** `limited` after five failures of this name within five minutes. */
    logIn(name: unknown, password: unknown): { user: User; token: string } | 'refused' | 'limited' {
      const key = String(name).trim().toLowerCase()
      const since = Date.now() - 300_000
      const recent = (failures.get(key) ?? []).filter((at) => at > since)
      if (recent.length >= 5) return 'limited'
      const user = users.get(key)
      if (user?.password !== password || user === undefined) {
        failures.set(key, [...recent, Date.now()])
        return 'refused'
      }
      failures.delete(key)
      const header = encode({ alg: 'HS256', typ: 'JWT' })
      const claims = encode({ sub: user.id, av: 1, aud: 'presenton' })
      const token = `${header}.${claims}.${randomBytes(32).toString('base64url')}`
      sessions.set(token, user)
      return { user, token }
    },

    /** The latest first, as upstream lists them. */
    list: (): User[] => [...users.values()].reverse(),
    find: (id: string): User | undefined => [...users.values()].find((user) => user.id === id),

    /** Undefined when the name is taken. */
    create({ username, password }: Credentials): User | undefined {
      if (users.has(username.toLowerCase())) return undefined
      const created_at = timestamp()
      return add({ id: randomUUID(), username, password, role: 'user', created_at })
    },

    /** Ends the sessions of the user. */
    setPassword(user: User, password: string): void {
      user.password = password
      endSessions(user)
    },

    remove,

    /** An operator changes the admin's password, or takes the account away. */
    setAdmin(next: Credentials | undefined): void {
      const admin = findAdmin()
      if (admin) users.delete(admin.username.toLowerCase())
      if (next) add({ ...next, id: adminId, role: 'admin', created_at: adminCreatedAt })
      sessions.clear()
    },

    /** Invalidates all session cookies and tokens, or those of one user. */
    dropSessions(username?: string): void {
      const user = username === undefined ? undefined : users.get(username.toLowerCase())
      if (username === undefined) sessions.clear()
      else if (user) endSessions(user)
    },
  }
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}
