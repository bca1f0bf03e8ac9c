// The sandbox's command line: its flags, and the brief for the first presentation.

import { existsSync, readFileSync } from 'node:fs'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type FaultName, faultNames, type Shape, shapes } from './presenton/stand-in.ts'

export const usage = `Usage: npm run sandbox -- [--once] [--brief FILE] [--source FILE] [--shape A1|T|B1|B2] [--fast] [--fault NAME] [--maker]

  --once        Stop after the first presentation.
  --brief FILE  Make a presentation from this file. A .json file is a whole brief. Any other file is
                a text, and a first line "# Something" becomes the title.
  --source FILE Upload this document and make the presentation from it, without a summary unless
                --brief gives one. You can repeat this flag.
  --shape NAME  The versions of Presenton that the stand-in imitates: A1 (0.5.14 to 0.7.3), T (0.8),
                B1 (0.9, the default), B2 (later).
  --fast        The stand-in responds at once instead of as slowly as a model.
  --fault NAME  The stand-in fails once in the first presentation: slides:cut, export:500,
                outlines:error-429 and so on. You can repeat this flag.
  --maker       Switch the slide maker on, under an account of the stand-in for each user. It shows a
                plain interface that sends what the one of Presenton 0.9.3 sends.

Environment variables replace the embedded parts by your own:
  DATABASE_URL       PostgreSQL
  MINIO_ENDPOINT     object store, with MINIO_ACCESS_KEY, MINIO_SECRET_KEY and so on
  PRESENTON_URL      Presenton; --maker then shows its own interface, and needs PRESENTON_USERNAME,
                     PRESENTON_PASSWORD and PRESENTON_ACCOUNT_SECRET
  AUTH_JWT_SECRET    secret to sign tokens
  AUTH_JWKS_URL or AUTH_JWT_PUBLIC_KEY, with a valid token in SANDBOX_TOKEN

SANDBOX_FOLDER is the folder for all data (default: .sandbox).
`

/** Older versions have no interface that works through the gateway. */
const makerShapes: Shape[] = ['B1', 'B2']

/** The command line is invalid. */
export class UsageError extends Error {}

export interface Arguments {
  once: boolean
  fast: boolean
  maker: boolean
  shape: Shape
  faults: FaultName[]
  briefPath: string
  /** Documents to upload; undefined for none. */
  sources?: string[] | undefined
  brief: Record<string, unknown>
}

/** Throws UsageError for unknown flags and values, and for an unreadable brief. */
export function readArguments(args: string[]): Arguments {
  const {
    once = false,
    fast = false,
    maker = false,
    shape = 'B1',
    fault = [],
    source: sources,
    brief,
  } = parse(args)
  const briefPath = brief ?? fileURLToPath(new URL('briefs/english.md', import.meta.url))
  for (const path of sources ?? [])
    if (!existsSync(path)) throw new UsageError(`--source: ${path} does not exist.`)
  const knownShape = shapes.find((name) => name === shape)
  if (!knownShape) throw new UsageError(`--shape ${shape} is unknown. Use ${shapes.join(', ')}.`)
  if (maker && !makerShapes.includes(knownShape))
    throw new UsageError(`--maker needs --shape ${makerShapes.join(' or ')}.`)
  return {
    once,
    fast,
    maker,
    shape: knownShape,
    faults: fault.map(readFault),
    briefPath,
    ...(sources && { sources }),
    brief: sources && brief === undefined ? {} : readBrief(briefPath),
  }
}

function parse(args: string[]) {
  try {
    const options = {
      once: { type: 'boolean' },
      fast: { type: 'boolean' },
      maker: { type: 'boolean' },
      shape: { type: 'string' },
      fault: { type: 'string', multiple: true },
      brief: { type: 'string' },
      source: { type: 'string', multiple: true },
    } as const
    return parseArgs({ args, options, allowPositionals: false }).values
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}

function readFault(name: string): FaultName {
  const known = faultNames.find((faultName) => faultName === name)
  if (known) return known
  const [operation] = name.split(':')
  const similar = faultNames.filter((faultName) => faultName.startsWith(`${operation}:`))
  const operations = [...new Set(faultNames.map((faultName) => faultName.split(':')[0]))]
  const suggestions = similar.length > 0 ? similar : operations.map((prefix) => `${prefix}:…`)
  throw new UsageError(`--fault ${name} is unknown. Use ${suggestions.join(', ')}.`)
}

function readBrief(path: string): Record<string, unknown> {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    throw new UsageError(`--brief: ${(error as Error).message}`)
  }
  if (extname(path) !== '.json') return { content: text, ...readTitle(text) }
  try {
    const brief: unknown = JSON.parse(text)
    if (typeof brief === 'object' && brief !== null && !Array.isArray(brief))
      return brief as Record<string, unknown>
  } catch {
    // Reported below.
  }
  throw new UsageError(`--brief: ${path} must contain a JSON object.`)
}

function readTitle(text: string): { title?: string } {
  const title = /^# +(\S.{0,199})$/mu.exec(text.split('\n', 1)[0] ?? '')?.[1]?.trim()
  return title ? { title } : {}
}
