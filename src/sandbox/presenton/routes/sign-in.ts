/**
 * /api/v1/auth: the status, which the gateway's probe reads first, and how a client gets a session
 * cookie or a key.
 */

import { randomBytes } from 'node:crypto'
import { timestamp } from '../deck.ts'
import {
  errorDetail,
  type FieldError,
  json,
  nginxPage,
  type Reply,
  validationFailed,
} from '../reply.ts'
import type { Exchange, Route, StandInState } from '../state.ts'
import { missingField, readObject } from './validation.ts'

const hasAuth = ({ auth }: { auth: string }) => auth !== 'none'
const hasKeys = ({ auth }: { auth: string }) => auth === 'users'

export const signInRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/api/v1/auth/status',
    operation: 'auth-status',
    isPublic: true,
    isAvailable: hasAuth,
    handle: status,
  },
  {
    method: 'GET',
    path: '/api/v1/auth/verify',
    operation: 'verify',
    isPublic: true,
    isAvailable: hasAuth,
    handle: verify,
  },
  {
    method: 'POST',
    path: '/api/v1/auth/setup',
    operation: 'setup',
    isPublic: true,
    isAvailable: hasAuth,
    handle: setUp,
  },
  {
    method: 'POST',
    path: '/api/v1/auth/login',
    operation: 'login',
    isPublic: true,
    isAvailable: hasAuth,
    handle: logIn,
  },
  {
    method: 'POST',
    path: '/api/v1/auth/logout',
    operation: 'logout',
    isPublic: true,
    isAvailable: hasAuth,
    handle: logOut,
  },
  {
    method: 'POST',
    path: '/api/v1/auth/token/create',
    operation: 'token',
    isAvailable: hasKeys,
    handle: createKey,
  },
  {
    method: 'GET',
    path: '/api/v1/auth/token/list',
    operation: 'token',
    isAvailable: hasKeys,
    handle: listKeys,
  },
  {
    method: 'POST',
    path: '/api/v1/auth/token/revoke',
    operation: 'token',
    isAvailable: hasKeys,
    handle: revokeKey,
  },
]

/** A valid key still gives authenticated:false (0.9.3). */
function status({ accounts, features }: StandInState, { request }: Exchange): Reply {
  const configured = accounts.isConfigured()
  const authenticated = !accounts.isEnabled || accounts.hasSession(request.headers)
  const username = authenticated ? accounts.username() : null
  if (features().auth === 'single') return json({ configured, authenticated, username })
  const user_id = authenticated && accounts.isEnabled ? accounts.userId : null
  return json({
    configured,
    authenticated,
    username,
    user_id,
    role: authenticated ? 'admin' : null,
  })
}

function verify({ accounts, features }: StandInState, { request }: Exchange): Reply {
  const method = accounts.authMethodOf(request.headers, features())
  if (!method) return errorDetail(401, 'Unauthorized')
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

async function setUp({ accounts, features }: StandInState, exchange: Exchange): Promise<Reply> {
  const body = await readObject(exchange)
  if ('errors' in body) return validationFailed(body.errors)
  const { username = '', password = '' } = body.value as { username?: string; password?: string }
  const minLength = { username: 3, password: features().auth === 'single' ? 6 : 8 }
  const errors = [
    ...tooShort('username', username, minLength.username),
    ...tooShort('password', password, minLength.password),
  ]
  if (errors.length > 0) return validationFailed(errors)
  if (!accounts.setUp({ username, password }))
    return errorDetail(409, 'Credentials already configured')
  const session = { configured: true, authenticated: false, username }
  return json(features().auth === 'single' ? session : { ...session, role: 'admin' })
}

async function logIn({ accounts, features }: StandInState, exchange: Exchange): Promise<Reply> {
  const hasUsers = features().auth === 'users'
  if (hasUsers && !accounts.countLoginRequest()) return nginxPage(429)
  const body = await readObject(exchange)
  if ('errors' in body) return validationFailed(body.errors)
  if (!accounts.isConfigured()) return errorDetail(428, 'Login setup is required')
  const token = accounts.logIn(body.value.username, body.value.password)
  if (token === 'limited')
    return errorDetail(429, 'Too many failed login attempts. Please try again later.', {
      'retry-after': '300',
    })
  if (token === 'refused') return errorDetail(401, 'Unauthorized')
  const cookie = `presenton_session=${token}; HttpOnly; Max-Age=2592000; Path=/; SameSite=lax`
  const session = { configured: true, authenticated: true, username: accounts.username() }
  if (!hasUsers) return json(session, 200, { 'set-cookie': cookie })
  const { userId: id, createdAt: created_at } = accounts
  const { configured, authenticated, username } = session
  return json({ configured, authenticated, id, username, role: 'admin', created_at }, 200, {
    'set-cookie': cookie,
  })
}

function logOut({ accounts }: StandInState): Reply {
  const cookie = 'presenton_session=""; HttpOnly; Max-Age=0; Path=/; SameSite=lax'
  return json({ configured: accounts.isConfigured(), authenticated: false, username: null }, 200, {
    'set-cookie': cookie,
  })
}

function createKey({ accounts }: StandInState, { request }: Exchange): Reply {
  if (!accounts.hasSession(request.headers)) return adminOnly()
  const token = `sk-presenton-${randomBytes(20).toString('hex')}`
  const created_at = `${timestamp()}Z`
  accounts.keys.set(token, created_at)
  return json({ created_at, token, user_id: accounts.userId })
}

function listKeys({ accounts }: StandInState, { request }: Exchange): Reply {
  if (!accounts.hasSession(request.headers)) return adminOnly()
  return json(
    [...accounts.keys].map(([token, created_at]) => ({
      created_at,
      token,
      user_id: accounts.userId,
    })),
  )
}

async function revokeKey({ accounts }: StandInState, exchange: Exchange): Promise<Reply> {
  if (!accounts.hasSession(exchange.request.headers)) return adminOnly()
  const body = await readObject(exchange)
  if ('errors' in body) return validationFailed(body.errors)
  if (typeof body.value.token !== 'string') return validationFailed([missingField('token')])
  return accounts.keys.delete(body.value.token)
    ? json({ message: 'Token revoked' })
    : errorDetail(404, 'Token not found')
}

function adminOnly(): Reply {
  return errorDetail(403, 'Admin browser session required')
}

function tooShort(field: string, input: string, min_length: number): FieldError[] {
  if (input.length >= min_length) return []
  const msg = `String should have at least ${min_length} characters`
  return [{ type: 'string_too_short', loc: ['body', field], msg, input, ctx: { min_length } }]
}
