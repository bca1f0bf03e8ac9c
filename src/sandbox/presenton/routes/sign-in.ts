/**
 * /api/v1/auth: what detection reads first, and how a caller comes to a cookie or a key.
 */

import { randomBytes } from 'node:crypto'
import { stamp } from '../deck.ts'
import { detail, type Flaw, json, page, type Reply, unprocessable } from '../reply.ts'
import type { Exchange, Route, World } from '../world.ts'
import { missing, readObject } from './body.ts'

const withAuth = ({ auth }: { auth: string }) => auth !== 'none'
const withKeys = ({ auth }: { auth: string }) => auth === 'users'

export const signInRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/api/v1/auth/status',
    operation: 'auth-status',
    open: true,
    when: withAuth,
    act: status,
  },
  {
    method: 'GET',
    path: '/api/v1/auth/verify',
    operation: 'verify',
    open: true,
    when: withAuth,
    act: verify,
  },
  {
    method: 'POST',
    path: '/api/v1/auth/setup',
    operation: 'setup',
    open: true,
    when: withAuth,
    act: setUp,
  },
  {
    method: 'POST',
    path: '/api/v1/auth/login',
    operation: 'login',
    open: true,
    when: withAuth,
    act: logIn,
  },
  {
    method: 'POST',
    path: '/api/v1/auth/logout',
    operation: 'logout',
    open: true,
    when: withAuth,
    act: logOut,
  },
  {
    method: 'POST',
    path: '/api/v1/auth/token/create',
    operation: 'token',
    when: withKeys,
    act: createKey,
  },
  {
    method: 'GET',
    path: '/api/v1/auth/token/list',
    operation: 'token',
    when: withKeys,
    act: listKeys,
  },
  {
    method: 'POST',
    path: '/api/v1/auth/token/revoke',
    operation: 'token',
    when: withKeys,
    act: revokeKey,
  },
]

/** With a valid key it still says authenticated:false (0.9.3). */
function status({ accounts, features }: World, { request }: Exchange): Reply {
  const configured = accounts.configured()
  const authenticated = !accounts.enabled || accounts.hasSession(request.headers)
  const username = authenticated ? accounts.username() : null
  if (features().auth === 'single') return json({ configured, authenticated, username })
  const user_id = authenticated && accounts.enabled ? accounts.userId : null
  return json({
    configured,
    authenticated,
    username,
    user_id,
    role: authenticated ? 'admin' : null,
  })
}

function verify({ accounts, features }: World, { request }: Exchange): Reply {
  const method = accounts.methodOf(request.headers, features())
  if (!method) return detail(401, 'Unauthorized')
  const username = accounts.username()
  if (features().auth === 'single') return json({ authenticated: true, username })
  const { userId: id, createdAt: created_at } = accounts
  return json({
    authenticated: true,
    id,
    username,
    role: 'admin',
    created_at,
    method: method === 'none' ? 'jwt' : method,
  })
}

async function setUp({ accounts, features }: World, exchange: Exchange): Promise<Reply> {
  const body = await readObject(exchange)
  if ('flaws' in body) return unprocessable(body.flaws)
  const { username = '', password = '' } = body.value as { username?: string; password?: string }
  const least = { username: 3, password: features().auth === 'single' ? 6 : 8 }
  const flaws = [
    ...tooShort('username', username, least.username),
    ...tooShort('password', password, least.password),
  ]
  if (flaws.length > 0) return unprocessable(flaws)
  if (!accounts.setUp({ username, password })) return detail(409, 'Credentials already configured')
  const answer = { configured: true, authenticated: false, username }
  return json(features().auth === 'single' ? answer : { ...answer, role: 'admin' })
}

async function logIn({ accounts, features }: World, exchange: Exchange): Promise<Reply> {
  const users = features().auth === 'users'
  if (users && !accounts.admit()) return page(429)
  const body = await readObject(exchange)
  if ('flaws' in body) return unprocessable(body.flaws)
  if (!accounts.configured()) return detail(428, 'Login setup is required')
  const token = accounts.logIn(body.value.username, body.value.password)
  if (token === 'limited')
    return detail(429, 'Too many failed login attempts. Please try again later.', {
      'retry-after': '300',
    })
  if (token === 'refused') return detail(401, 'Unauthorized')
  const cookie = `presenton_session=${token}; HttpOnly; Max-Age=2592000; Path=/; SameSite=lax`
  const answer = { configured: true, authenticated: true, username: accounts.username() }
  if (!users) return json(answer, 200, { 'set-cookie': cookie })
  const { userId: id, createdAt: created_at } = accounts
  const { configured, authenticated, username } = answer
  return json({ configured, authenticated, id, username, role: 'admin', created_at }, 200, {
    'set-cookie': cookie,
  })
}

function logOut({ accounts }: World): Reply {
  const cookie = 'presenton_session=""; HttpOnly; Max-Age=0; Path=/; SameSite=lax'
  return json({ configured: accounts.configured(), authenticated: false, username: null }, 200, {
    'set-cookie': cookie,
  })
}

function createKey({ accounts }: World, { request }: Exchange): Reply {
  if (!accounts.hasSession(request.headers)) return adminOnly()
  const token = `sk-presenton-${randomBytes(20).toString('hex')}`
  const created_at = `${stamp()}Z`
  accounts.keys.set(token, created_at)
  return json({ created_at, token, user_id: accounts.userId })
}

function listKeys({ accounts }: World, { request }: Exchange): Reply {
  if (!accounts.hasSession(request.headers)) return adminOnly()
  return json(
    [...accounts.keys].map(([token, created_at]) => ({
      created_at,
      token,
      user_id: accounts.userId,
    })),
  )
}

async function revokeKey({ accounts }: World, exchange: Exchange): Promise<Reply> {
  if (!accounts.hasSession(exchange.request.headers)) return adminOnly()
  const body = await readObject(exchange)
  if ('flaws' in body) return unprocessable(body.flaws)
  if (typeof body.value.token !== 'string') return unprocessable([missing('token')])
  return accounts.keys.delete(body.value.token)
    ? json({ message: 'Token revoked' })
    : detail(404, 'Token not found')
}

function adminOnly(): Reply {
  return detail(403, 'Admin browser session required')
}

function tooShort(field: string, input: string, least: number): Flaw[] {
  if (input.length >= least) return []
  const msg = `String should have at least ${least} characters`
  return [
    { type: 'string_too_short', loc: ['body', field], msg, input, ctx: { min_length: least } },
  ]
}
