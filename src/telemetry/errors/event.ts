// An error as an event of Sentry's protocol. Messages are left out, since they quote what they were
// about: a text that was no JSON, the values of a query. Types, codes and stacks remain.

import { createHmac, randomUUID } from 'node:crypto'
import type { ErrorContext } from './error-reports.ts'

interface Frame {
  filename: string
  function: string
  lineno: number
  colno: number
  in_app: boolean
}

const maxFrames = 50
const maxCauses = 4

export interface EventOptions {
  release: string
  environment: string
  /** Of the hashes of users. */
  hashKey: string
}

export function createEvent(
  error: unknown,
  { kind, tags = {}, userId }: ErrorContext,
  { release, environment, hashKey }: EventOptions,
) {
  const known = Object.entries(tags).filter(([, value]) => value !== undefined)
  return {
    event_id: randomUUID().replaceAll('-', ''),
    timestamp: Date.now() / 1000,
    platform: 'node',
    level: kind === 'process' ? 'fatal' : 'error',
    release,
    environment,
    // Sentry takes the address of the sender otherwise.
    user: {
      ip_address: null,
      ...(userId !== undefined && {
        id: createHmac('sha256', hashKey).update(userId).digest('hex'),
      }),
    },
    tags: { kind, ...Object.fromEntries(known) },
    exception: { values: describeCauses(error) },
  }
}

/** The protocol wants the innermost cause first. */
function describeCauses(error: unknown): object[] {
  const values: object[] = []
  for (let cause = error; cause !== undefined && values.length < maxCauses; ) {
    values.unshift(describe(cause))
    cause = cause instanceof Error ? cause.cause : undefined
  }
  return values
}

function describe(error: unknown) {
  if (!(error instanceof Error)) return { type: typeof error, value: '' }
  const { code } = error as { code?: unknown }
  const type = /^\w{1,60}$/.test(error.name) ? error.name : 'Error'
  const value = typeof code === 'string' && /^\w{1,60}$/.test(code) ? code : ''
  return { type, value, stacktrace: { frames: framesOf(error) } }
}

const frame = /^ {4}at (?:(?:async )?([^(\n]{1,200}) \()?([^()\n]{1,1000}):(\d{1,9}):(\d{1,9})\)?$/

/** The outermost call first, as the protocol wants it. */
function framesOf({ stack = '', message }: Error): Frame[] {
  // The message may have lines that look like frames.
  const index = message ? stack.indexOf(message) : -1
  const lines = (index < 0 ? stack : stack.slice(index + message.length)).split('\n')
  const frames = lines.slice(0, maxFrames).flatMap((line) => {
    const [, name = '?', file, lineno, colno] = frame.exec(line) ?? []
    if (file === undefined) return []
    const filename = toFileName(file)
    const isOurs = !filename.startsWith('node:') && !filename.includes('node_modules')
    const position = { lineno: Number(lineno), colno: Number(colno) }
    return [{ filename, function: name.trim(), ...position, in_app: isOurs }]
  })
  return frames.reverse()
}

/** Without the folders of this machine. */
function toFileName(file: string): string {
  if (file.startsWith('node:')) return file
  const [, inside] = /\/((?:dist|src|node_modules)\/.*)$/.exec(file) ?? []
  return `app:///${inside ?? file.slice(file.lastIndexOf('/') + 1)}`
}
