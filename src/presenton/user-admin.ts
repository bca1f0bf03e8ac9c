// What the administrator does for the accounts of users: makes them, and sets their passwords.
// Where that fails, runs wait until an operator has fixed it.

import { Problem } from '../domain/problem.ts'
import type { Trouble, Troubles } from '../telemetry/troubles.ts'
import { sharedAccount } from './account.ts'
import { type Call, type Calls, parseJson } from './calls.ts'
import { isObject } from './deck-responses.ts'
import { paths } from './dialect.ts'
import { credentialsRefused, type ResponseCause } from './failures.ts'

const notAdministrator: Trouble = {
  reason: 'access_denied',
  variable: 'PRESENTON_USERNAME',
  detail: 'It makes no accounts for users with this login, which must be of an administrator.',
}

interface UserAdminOptions {
  /** Not read before the first use: these calls need accounts themselves. */
  calls: () => Calls
  timeoutMs: number
  closing: AbortSignal
  troubles: Pick<Troubles, 'report' | 'clear'>
}

export function createUserAdmin({ calls, timeoutMs, closing, troubles }: UserAdminOptions) {
  let isDenied = false

  /** Only a session may do this, no key. */
  async function send(call: Pick<Call, 'path'> & Partial<Call>) {
    const common = { account: sharedAccount, auth: 'cookie', routeKind: 'other' } as const
    try {
      const limits = { isCheap: true, timeoutMs, signal: closing }
      const response = await calls().send({ ...common, ...limits, ...call })
      if (isDenied) troubles.clear('presenton', notAdministrator.reason)
      isDenied = false
      return response
    } catch (error) {
      if (!(error instanceof Problem) || error.failure !== 'final') throw error
      isDenied = true
      troubles.report('presenton', notAdministrator)
      throw credentialsRefused((error.cause ?? error) as ResponseCause)
    }
  }

  const create = async (username: string, password: string): Promise<boolean> => {
    const json = { username, password }
    const call = { method: 'POST', path: paths.users, json, expectedStatuses: [409] } as const
    return (await send(call)).status !== 409
  }

  async function findId(username: string): Promise<string | undefined> {
    const users = parseJson(await send({ path: paths.users }))
    if (!Array.isArray(users)) return undefined
    const found = users.find(
      (user) => isObject(user) && String(user.username).toLowerCase() === username,
    )
    return isObject(found) && typeof found.id === 'string' ? found.id : undefined
  }

  return {
    /** False when an account of this name exists. */
    create,

    /** The account has this password afterwards; one that vanished is made again. */
    async setPassword(username: string, password: string): Promise<void> {
      const id = await findId(username)
      if (id !== undefined) {
        const path = paths.userPassword(id)
        const call = { method: 'PUT', path, json: { password }, expectedStatuses: [404] } as const
        if ((await send(call)).status !== 404) return
      }
      await create(username, password)
    },
  }
}
