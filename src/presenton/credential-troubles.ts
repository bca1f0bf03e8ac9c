// What operators are told when upstream does not accept our credentials: which variable to look at.

import type { Trouble } from '../telemetry/troubles.ts'
import type { AuthKind } from './account.ts'

export interface RefusedCredentials {
  /** Of the response that refused them. */
  status: number
  kind: AuthKind
  hasApiKey: boolean
  hasLogin: boolean
}

export function credentialTrouble({ status, kind, ...has }: RefusedCredentials): Trouble {
  const reason = status === 403 ? 'access_denied' : 'credentials_refused'
  const { variable, detail } = describe({ status, kind, ...has })
  return { reason, variable, detail }
}

/** The login replaces the key, so runs go on. */
export const keyReplacedByLogin: Trouble = {
  reason: 'credentials_refused',
  variable: 'PRESENTON_API_KEY',
  detail: 'Presenton refuses the API key, which may have expired. The login is used instead.',
}

/** A deck belongs to a user's account, which the gateway can no longer use. */
export const noAccountSecret: Trouble = {
  reason: 'credentials_refused',
  variable: 'PRESENTON_ACCOUNT_SECRET',
  detail: 'It is not set, but some decks belong to accounts of users.',
}

function describe({ status, kind, hasApiKey, hasLogin }: RefusedCredentials) {
  if (status === 428) {
    const variable = hasApiKey && !hasLogin ? 'PRESENTON_API_KEY' : 'PRESENTON_USERNAME'
    return {
      variable,
      detail: 'Presenton has no account yet. Set AUTH_USERNAME and AUTH_PASSWORD.',
    }
  }
  if (kind === 'none') {
    const detail = hasApiKey
      ? 'Presenton requires a login, and this version accepts no API key.'
      : 'Presenton requires a login, and no credentials are set.'
    return { variable: 'PRESENTON_USERNAME', detail }
  }
  if (kind === 'key') {
    const detail = 'Presenton refuses the API key. It may have expired or been revoked.'
    return { variable: 'PRESENTON_API_KEY', detail }
  }
  return { variable: 'PRESENTON_PASSWORD', detail: 'Presenton refuses the user name or password.' }
}
