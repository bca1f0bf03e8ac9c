// The variables of error reports, and what the configuration makes of them.

import { optional, or, reject, word } from './values.ts'

interface Dsn {
  /** Of envelopes. */
  url: string
  publicKey: string
}

export const errorReportVariables = {
  SENTRY_DSN: optional(dsn),
  SENTRY_ENVIRONMENT: or('production', word),
}

type Values = {
  [Name in keyof typeof errorReportVariables]: ReturnType<(typeof errorReportVariables)[Name]>
}

/** Undefined: errors are only logged. `hashKey` keeps the hashes of users from being guessed. */
export function errorReportConfig(v: Values, hashKey: string) {
  if (v.SENTRY_DSN === undefined) return undefined
  return { ...v.SENTRY_DSN, environment: v.SENTRY_ENVIRONMENT, hashKey }
}

/** https://KEY@host/path/PROJECT */
function dsn(text: string): Dsn {
  const parsed = URL.canParse(text) ? new URL(text) : undefined
  const isHttp = parsed !== undefined && /^https?:$/.test(parsed.protocol)
  const project = parsed?.pathname.split('/').at(-1) ?? ''
  if (!isHttp || !parsed.username || !/^\w+$/.test(project) || parsed.search || parsed.hash)
    reject('must be the DSN of a project: https://KEY@host/PROJECT')
  const path = parsed.pathname.slice(0, -project.length)
  return {
    url: `${parsed.origin}${path}api/${project}/envelope/`,
    publicKey: decodeURIComponent(parsed.username),
  }
}
