// The sandbox's command line: flags, and the brief that it makes a deck of.

import { readFileSync } from 'node:fs'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type FaultName, faultNames, type Shape, shapes } from './presenton/stand-in.ts'

export const usage = `npm run sandbox -- [--once] [--brief FILE] [--shape A1|T|B1|B2] [--fast] [--fault NAME]

  --once        end after the first deck
  --brief FILE  make a deck of this: a .json file is a whole brief, any other text file is its content
                (a first line "# Something" is its title, too)
  --shape NAME  which Presenton the stand-in is: A1 (0.5.14 to 0.7.3), T (0.8), B1 (0.9; default), B2 (newer)
  --fast        the stand-in doesn't wait as a model would
  --fault NAME  the stand-in fails so, once, in the first deck: slides:cut, export:500, outlines:error-429, … (may be repeated)

DATABASE_URL, MINIO_ENDPOINT (with MINIO_ACCESS_KEY and so on), PRESENTON_URL and AUTH_JWT_SECRET, AUTH_JWKS_URL or
AUTH_JWT_PUBLIC_KEY (the latter two with SANDBOX_TOKEN) put real parts in the place of the embedded ones. SANDBOX_FOLDER says where data are kept (default .sandbox).
`

/** The caller typed something that can't be meant. */
export class UsageError extends Error {}

export interface Arguments {
  once: boolean
  fast: boolean
  shape: Shape
  faults: FaultName[]
  brief: Record<string, unknown>
}

/** Throws Misuse for unknown flags and for a brief that can't be read. */
export function readArguments(args: string[]): Arguments {
  const {
    once = false,
    fast = false,
    shape = 'B1',
    fault = [],
    brief = fileURLToPath(new URL('briefs/english.md', import.meta.url)),
  } = parse(args)
  const known = shapes.find((one) => one === shape)
  if (!known) throw new UsageError(`--shape ${shape}: there is no such Presenton`)
  return { once, fast, shape: known, faults: fault.map(readFault), brief: readBrief(brief) }
}

function parse(args: string[]) {
  try {
    const options = {
      once: { type: 'boolean' },
      fast: { type: 'boolean' },
      shape: { type: 'string' },
      fault: { type: 'string', multiple: true },
      brief: { type: 'string' },
    } as const
    return parseArgs({ args, options, allowPositionals: false }).values
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}

function readFault(name: string): FaultName {
  const known = faultNames.find((one) => one === name)
  if (known) return known
  const [operation] = name.split(':')
  const others = faultNames.filter((one) => one.startsWith(`${operation}:`))
  const offered =
    others.length > 0 ? others : [...new Set(faultNames.map((one) => `${one.split(':')[0]}:…`))]
  throw new UsageError(`--fault ${name}: there is no such fault; there are ${offered.join(', ')}`)
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
    // Said below.
  }
  throw new UsageError(`--brief: ${path} holds no JSON object`)
}

function readTitle(text: string): { title?: string } {
  const title = /^# +(\S.{0,199})$/mu.exec(text.split('\n', 1)[0] ?? '')?.[1]?.trim()
  return title ? { title } : {}
}
