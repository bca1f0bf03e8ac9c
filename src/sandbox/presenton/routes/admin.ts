/**
 * /api/v1/admin/users: the admin makes users, gives them passwords and removes them. Only the
 * admin's session cookie is accepted, no key.
 */

import type { User } from '../accounts.ts'
import { errorDetail, json, noContent, type Reply, validationFailed } from '../reply.ts'
import type { Exchange, Route, RouteHandler, StandInState } from '../state.ts'
import { idError, missingField, readObject, tooShort } from './validation.ts'

const path = '/api/v1/admin/users'
const isAvailable: Route['isAvailable'] = ({ auth }) => auth === 'users'

export const adminRoutes: readonly Route[] = [
  { method: 'GET', path, operation: 'users', isAvailable, handle: asAdmin(list) },
  { method: 'POST', path, operation: 'users', isAvailable, handle: asAdmin(create) },
  {
    method: 'PUT',
    path: `${path}/{id}/password`,
    operation: 'users',
    isAvailable,
    handle: asAdmin(setPassword),
  },
  {
    method: 'DELETE',
    path: `${path}/{id}`,
    operation: 'users',
    isAvailable,
    handle: asAdmin(remove),
  },
]

function asAdmin(handle: RouteHandler): RouteHandler {
  return (state, exchange) => {
    const user = state.accounts.sessionUser(exchange.request.headers)
    if (!user) return errorDetail(403, 'Admin browser session required')
    return user.role === 'admin'
      ? handle(state, exchange)
      : errorDetail(403, 'Admin access required')
  }
}

export function publicUser({ id, username, role, created_at }: User) {
  return { id, username, role, created_at }
}

function list({ accounts }: StandInState): Reply {
  return json(accounts.list().map(publicUser))
}

async function create({ accounts }: StandInState, exchange: Exchange): Promise<Reply> {
  const body = await readObject(exchange)
  if ('errors' in body) return validationFailed(body.errors)
  const { username, password } = body.value
  const errors = [
    ...(username === undefined ? [missingField('username')] : []),
    ...(password === undefined ? [missingField('password')] : []),
    ...tooShort('username', username, 3),
    ...tooShort('password', password, 8),
  ]
  if (errors.length > 0) return validationFailed(errors)
  const user = accounts.create({ username: String(username).trim(), password: String(password) })
  return user ? json(publicUser(user), 201) : errorDetail(409, 'Username already exists')
}

function findUser({ accounts, features }: StandInState, { params }: Exchange) {
  const error = idError(params.id, ['path', 'user_id'], features())
  if (error) return { reply: validationFailed([error]) }
  const user = accounts.find(String(params.id).toLowerCase())
  return user ? { user } : { reply: errorDetail(404, 'User not found') }
}

async function setPassword(state: StandInState, exchange: Exchange): Promise<Reply> {
  const body = await readObject(exchange)
  if ('errors' in body) return validationFailed(body.errors)
  const { password } = body.value
  const errors =
    password === undefined ? [missingField('password')] : tooShort('password', password, 8)
  if (errors.length > 0) return validationFailed(errors)
  const found = findUser(state, exchange)
  if ('reply' in found) return found.reply
  if (found.user.role === 'admin')
    return errorDetail(
      403,
      'The primary administrator password is managed through deployment settings',
    )
  state.accounts.setPassword(found.user, String(password))
  return json(publicUser(found.user))
}

/** With the user go their decks. */
function remove(state: StandInState, exchange: Exchange): Reply {
  const found = findUser(state, exchange)
  if ('reply' in found) return found.reply
  if (found.user.role === 'admin')
    return errorDetail(403, 'The primary administrator account cannot be deleted')
  state.accounts.remove(found.user)
  for (const [id, { owner }] of state.decks) if (owner === found.user.id) state.decks.delete(id)
  return noContent()
}
