// What env files, shells and copying leave around values: spaces, line ends, quotes. They are
// removed where nothing else can be meant. Secrets are taken as they are, because the other side
// may have read the same file in the same way.

import { warnOfMisspeltNames } from './similar-names.ts'

export type Environment = Record<string, string | undefined>

const secrets = [
  ...['PRESENTON_PASSWORD', 'PRESENTON_ACCOUNT_SECRET', 'MINIO_SECRET_KEY', 'AUTH_JWT_SECRET'],
]
/** Other programs read these, too. In lower case they come first, as in curl and undici. */
const sharedNames = ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY']
// OpenTelemetry has many more names, which are no misspelt ones.
const isShared = (name: string) => sharedNames.includes(name) || name.startsWith('OTEL_')

/** An empty value counts as not set. @throws Error that continues "NAME …" */
export function readText(env: Environment, name: string): string | undefined {
  const isLowerCase = sharedNames.includes(name) && Object.hasOwn(env, name.toLowerCase())
  const text = (isLowerCase ? env[name.toLowerCase()] : env[name]) ?? ''
  const value = secrets.includes(name) ? text : unquote(text)
  // Docker and systemd do not replace `${NAME}` in their env files.
  if (/^\$\{[a-z_]\w*\}$/i.test(value.trim()))
    throw new Error('is a reference to another variable, which was not replaced')
  return value || undefined
}

/** What is probably a mistake although it can be read. Names no values. */
export function warningsOf(env: Environment, names: readonly string[]): string[] {
  const suspicious = secrets.filter((name) => unquote(env[name] ?? '') !== (env[name] ?? ''))
  const ownNames = names.filter((name) => !isShared(name))
  return [
    ...suspicious.map(
      (name) =>
        `${name} begins or ends with spaces, line ends or quotes, which are taken as part of it`,
    ),
    ...warnOfMisspeltNames(env, ownNames),
  ]
}

/** `trim` also removes a byte order mark and no-break spaces. */
function unquote(text: string): string {
  const trimmed = text.trim()
  const [, , inner] = /^(["'])(.*)\1$/s.exec(trimmed) ?? []
  return inner === undefined ? trimmed : inner.trim()
}
