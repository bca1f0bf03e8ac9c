// One login of a user's account, from its first need on: made if it is missing, and with its
// password reset, once, if the login is refused.

import { type Credentials, passwordOf, type UserAccount } from './account.ts'
import { isObject } from './deck-responses.ts'
import {
  credentialsRefused,
  outage,
  parseRetryAfter,
  type TextResponse,
  toProblem,
} from './failures.ts'
import { isRefusedLogin, sessionCookieOf } from './login.ts'
import type { LoginQueue } from './login-queue.ts'

/** Of one login that nginx's limit refuses, although it had waited for its place. */
const maxLimitedLogins = 10

interface UserLoginOptions {
  secret: string
  queue: LoginQueue
  admin: {
    /** False when an account of this name exists. */
    create(username: string, password: string): Promise<boolean>
    /** Makes an account that has vanished. */
    setPassword(username: string, password: string): Promise<void>
  }
  postLogin(credentials: Credentials): Promise<TextResponse>
  now(): number
}

export interface UserSession {
  cookie: string
  upstreamId: string | null
}

/** The second refusal of a login: more would lock the account. */
export class LoginRefused extends Error {}

export function createUserLogin({ secret, queue, admin, postLogin, now }: UserLoginOptions) {
  /** nginx's limit is waited for; upstream's own, after failed logins, ends the login. */
  async function send(credentials: Credentials, signal: AbortSignal): Promise<TextResponse> {
    for (let attempt = 1; ; attempt += 1) {
      await queue.wait(signal)
      const response = await postLogin(credentials)
      if (response.status !== 429) return response
      const seconds = parseRetryAfter(response.headers, now())
      if (seconds !== undefined || attempt === maxLimitedLogins)
        throw outage(new Error('upstream limits the logins of an account'), seconds)
      await queue.noteRefused()
    }
  }

  /**
   * @throws LoginRefused after two refusals in a row; Problem 'outage', 'credentials' or 'fault'
   */
  return async function logIn(
    account: UserAccount,
    { isKnown, signal }: { isKnown: boolean; signal: AbortSignal },
  ): Promise<UserSession> {
    const credentials = { username: account.name, password: passwordOf(account, secret) }
    const { username, password } = credentials
    if (!isKnown) await admin.create(username, password)
    let response = await send(credentials, signal)
    if (isRefusedLogin(response)) {
      await admin.setPassword(username, password)
      response = await send(credentials, signal)
    }
    if (isRefusedLogin(response)) {
      const cause = new Error(`the login was refused with status ${response.status}`)
      throw new LoginRefused(cause.message, { cause: credentialsRefused(cause) })
    }
    const cookie =
      response.status === 200 ? sessionCookieOf(response.headers['set-cookie']) : undefined
    if (cookie === undefined) throw toProblem(response, { routeKind: 'login', nowMs: now() })
    return { cookie, upstreamId: idIn(response.text) }
  }
}

function idIn(text: string): string | null {
  try {
    const body: unknown = JSON.parse(text)
    return isObject(body) && typeof body.id === 'string' ? body.id : null
  } catch {
    return null
  }
}
