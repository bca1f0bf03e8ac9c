// What lies beside src/ for whoever runs the gateway, read as Compose reads it: variables filled
// in, merges followed, so that tests can run for real what is written there.

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
  stop_grace_period: string
  deploy: { resources: { limits: Record<string, string | number> } }
  build?: { dockerfile_inline?: string }
}

export interface ComposeFile {
  services: Record<string, Service>
  networks: Record<string, { internal?: boolean } | null>
  configs: Record<string, { content: string }>
}

/** What a new user writes into .env; nothing more is required. */
export const minimalEnv = {
  LLM: 'openai',
  OPENAI_API_KEY: 'key-of-the-provider',
  PRESENTON_PASSWORD: 'password-of-presenton',
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

/** Throws, with the variable's name, where Compose would stop. */
export function readComposeFile(env: Record<string, string> = minimalEnv): ComposeFile {
  const read = parse(readRootFile('docker-compose.yml'), { merge: true }) as ComposeFile
  return fill(read, env) as ComposeFile
}

/** presenton.env as its container gets it. */
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

function fill(value: unknown, env: Record<string, string>): unknown {
  if (typeof value === 'string') return interpolate(value, env)
  if (Array.isArray(value)) return value.map((one) => fill(one, env))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, fill(one, env)]))
}

/**
 * `$$`, `${NAME}`, `${NAME:-else}`, `${NAME:?why}` (set and not empty) and `${NAME?why}` (set): all
 * that the files use of Compose's rules. As there, what is nested is filled in whether or not it is
 * needed.
 */
export function interpolate(text: string, env: Record<string, string>): string {
  let result = ''
  for (let at = 0; at < text.length; at++) {
    if (text[at] !== '$') result += text[at]
    else if (text[at + 1] === '$') result += text[++at]
    else {
      const [, name = '', mark = ''] = /^\$\{(\w+)(:-|:\?|\?)?/.exec(text.slice(at)) ?? []
      if (!name) throw new Error(`a single $ before: ${text.slice(at, at + 20)}`)
      const start = at + 2 + name.length + mark.length
      const end = endOf(text, start)
      const rest = interpolate(text.slice(start, end), env)
      const given = env[name]
      if (mark === '?' ? given === undefined : mark === ':?' && !given)
        throw new Error(`${name}: ${rest}`)
      result += given || (mark === ':-' ? rest : '')
      at = end
    }
  }
  return result
}

/** Where the brace closes that was open at `start`. */
function endOf(text: string, start: number): number {
  let depth = 1
  for (let at = start; at < text.length; at++) {
    if (text.startsWith('${', at)) depth++
    else if (text[at] === '}' && --depth === 0) return at
  }
  throw new Error(`an open brace in: ${text}`)
}

/** `31m`, `35s` */
export function parseSeconds(duration: string): number {
  const [, number = '', unit = ''] = /^(\d+)(s|m)$/.exec(duration) ?? []
  return Number(number) * (unit === 'm' ? 60 : 1)
}
