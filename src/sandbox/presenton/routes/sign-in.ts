/**
 * /api/v1/auth: the status, which the gateway's probe reads first, and how a client gets a session
 * cookie or a key.
 */

import { randomBytes } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import type { Accounts } from '../accounts.ts'
import { timestamp } from '../deck.ts'
import { errorDetail, json, type Reply, validationFailed } from '../reply.ts'
import type { Exchange, Route, StandInState } from '../state.ts'
import { publicUser } from './admin.ts'
import { missingField, readObject, tooShort } from './validation.ts'

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
  const user = accounts.sessionUser(request.headers)
  const authenticated = user !== undefined
  const username = user?.username ?? null
  if (features().auth === 'single') return json({ configured, authenticated, username })
  const user_id = (accounts.isEnabled && user?.id) || null
  return json({ configured, authenticated, username, user_id, role: user?.role ?? null })
}

function verify({ accounts, features }: StandInState, { request }: Exchange): Reply {
  const caller = accounts.callerOf(request.headers, features())
  if (!caller) return errorDetail(401, 'Unauthorized')
  const { user, method } = caller
  if (features().auth === 'single') return json({ authenticated: true, username: user.username })
  return json({ authenticated: true, ...publicUser(user), method })
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
  const body = await readObject(exchange)
  if ('errors' in body) return validationFailed(body.errors)
  if (!accounts.isConfigured()) return errorDetail(428, 'Login setup is required')
  const session = accounts.logIn(body.value.username, body.value.password)
  if (session === 'limited')
    return errorDetail(429, 'Too many failed login attempts. Please try again later.', {
      'retry-after': '300',
    })
  if (session === 'refused') return errorDetail(401, 'Unauthorized')
  const { user, token } = session
  const cookie = `presenton_session=${token}; HttpOnly; Max-Age=2592000; Path=/; SameSite=lax`
  const state = { configured: true, authenticated: true }
  const shown = hasUsers ? publicUser(user) : { username: user.username }
  return json({ ...state, ...shown }, 200, { 'set-cookie': cookie })
}

function logOut({ accounts }: StandInState): Reply {
  const cookie = 'presenton_session=""; HttpOnly; Max-Age=0; Path=/; SameSite=lax'
  return json({ configured: accounts.isConfigured(), authenticated: false, username: null }, 200, {
    'set-cookie': cookie,
  })
}

function createKey({ accounts }: StandInState, { request }: Exchange): Reply {
  if (!isAdminSession(accounts, request.headers)) return adminOnly()
  const token = `sk-presenton-${randomBytes(20).toString('hex')}`
  const created_at = `${timestamp()}Z`
  accounts.keys.set(token, created_at)
  return json({ created_at, token, user_id: accounts.adminId })
}

function listKeys({ accounts }: StandInState, { request }: Exchange): Reply {
  if (!isAdminSession(accounts, request.headers)) return adminOnly()
  return json(
    [...accounts.keys].map(([token, created_at]) => ({
      created_at,
      token,
      user_id: accounts.adminId,
    })),
  )
}

async function revokeKey({ accounts }: StandInState, exchange: Exchange): Promise<Reply> {
  if (!isAdminSession(accounts, exchange.request.headers)) return adminOnly()
  const body = await readObject(exchange)
  if ('errors' in body) return validationFailed(body.errors)
  if (typeof body.value.token !== 'string') return validationFailed([missingField('token')])
  return accounts.keys.delete(body.value.token)
    ? json({ message: 'Token revoked' })
    : errorDetail(404, 'Token not found')
}

function isAdminSession(accounts: Accounts, headers: IncomingHttpHeaders): boolean {
  return accounts.sessionUser(headers)?.role === 'admin'
}

function adminOnly(): Reply {
  return errorDetail(403, 'Admin browser session required')
}
