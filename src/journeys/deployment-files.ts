// Reads the deployment files beside src/ as Compose does, with variables interpolated and YAML
// merges resolved, so that tests can run their contents.

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'

export interface Service {
  image: string
  profiles?: string[]
  read_only?: boolean
  user?: string
  init?: boolean
  cap_drop?: string[]
  security_opt?: string[]
  ports?: string[]
  networks: string[]
  configs?: { source: string; target: string }[]
  environment: Record<string, string>
  labels?: Record<string, string>
  stop_grace_period: string
  deploy: { replicas?: string; resources: { limits: Record<string, string | number> } }
  build?: { dockerfile_inline?: string }
}

export interface ComposeFile {
  services: Record<string, Service>
  networks: Record<string, { internal?: boolean } | null>
  configs: Record<string, { content: string }>
}

/** The variables that .env must set; all others have defaults. */
export const minimalEnv = {
  LLM: 'openai',
  OPENAI_API_KEY: 'key-of-the-provider',
  PRESENTON_PASSWORD: 'password-of-presenton',
  PRESENTON_ACCOUNT_SECRET: 'secret-of-the-accounts-in-presenton',
  POSTGRES_PASSWORD: 'password-of-postgres',
  GATEWAY_DB_PASSWORD: 'gateway-in-the-database',
  PRESENTON_DB_PASSWORD: 'presenton-in-the-database',
  MINIO_ROOT_PASSWORD: 'root-of-the-store',
  MINIO_SECRET_KEY: 'gateway-in-the-store',
  AUTH_JWKS_URL: '',
  AUTH_JWT_SECRET: 'a-secret-of-at-least-thirty-two-bytes',
}

export function readRootFile(name: string): string {
  return readFileSync(fileURLToPath(new URL(`../../${name}`, import.meta.url)), 'utf8')
}

/** Throws an error with the variable's name where Compose would stop. */
export function readComposeFile(env: Record<string, string> = minimalEnv): ComposeFile {
  const parsed = parse(readRootFile('docker-compose.yml'), { merge: true }) as ComposeFile
  return interpolateAll(parsed, env) as ComposeFile
}

/** presenton.env as its container receives it. */
export function readPresentonEnv(env: Record<string, string> = minimalEnv): Record<string, string> {
  const lines = readRootFile('presenton.env').split('\n')
  return Object.fromEntries(
    lines
      .filter((line) => /^\w+=/.test(line))
      .map((line) => {
        const [name = '', ...value] = line.split('=')
        return [name, interpolate(value.join('='), env)]
      }),
  )
}

function interpolateAll(value: unknown, env: Record<string, string>): unknown {
  if (typeof value === 'string') return interpolate(value, env)
  if (Array.isArray(value)) return value.map((item) => interpolateAll(item, env))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [name, interpolateAll(item, env)]),
  )
}

/**
 * The part of Compose's syntax that the files use: `$$`, `${NAME}`, `${NAME:-default}`,
 * `${NAME:?message}` (must be set and not empty) and `${NAME?message}` (must be set). As in
 * Compose, nested expressions are always evaluated.
 */
export function interpolate(text: string, env: Record<string, string>): string {
  let result = ''
  for (let i = 0; i < text.length; i++) {
    if (text[i] !== '$') result += text[i]
    else if (text[i + 1] === '$') result += text[++i]
    else {
      const [, name = '', operator = ''] = /^\$\{(\w+)(:-|:\?|\?)?/.exec(text.slice(i)) ?? []
      if (!name) throw new Error(`unescaped $ before: ${text.slice(i, i + 20)}`)
      const start = i + 2 + name.length + operator.length
      const end = findClosingBrace(text, start)
      const operand = interpolate(text.slice(start, end), env)
      const value = env[name]
      if (operator === '?' ? value === undefined : operator === ':?' && !value)
        throw new Error(`${name}: ${operand}`)
      result += value || (operator === ':-' ? operand : '')
      i = end
    }
  }
  return result
}

/** Index of the brace that closes the one opened before `start`. */
function findClosingBrace(text: string, start: number): number {
  let depth = 1
  for (let i = start; i < text.length; i++) {
    if (text.startsWith('${', i)) depth++
    else if (text[i] === '}' && --depth === 0) return i
  }
  throw new Error(`missing } in: ${text}`)
}

/** Parses `31m` or `35s` into seconds. */
export function parseSeconds(duration: string): number {
  const [, number = '', unit = ''] = /^(\d+)(s|m)$/.exec(duration) ?? []
  return Number(number) * (unit === 'm' ? 60 : 1)
}
