/**
 * Request bodies and ids as FastAPI checks them, with its own words for what is wrong.
 */

import type { Flaw } from '../reply.ts'
import type { Features } from '../shape.ts'
import type { Exchange } from '../world.ts'

export type Checked<T> = { value: T } | { flaws: readonly Flaw[] }

/** The body as an object. A body that is not JSON, or no object, is a flaw. */
export async function readObject(exchange: Exchange): Promise<Checked<Record<string, unknown>>> {
  const text = (await exchange.readBody()).toString()
  if (text === '')
    return { flaws: [{ type: 'missing', loc: ['body'], msg: 'Field required', input: null }] }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    const ctx = { error: 'Expecting property name enclosed in double quotes' }
    return {
      flaws: [{ type: 'json_invalid', loc: ['body', 1], msg: 'JSON decode error', input: {}, ctx }],
    }
  }
  if (value && typeof value === 'object' && !Array.isArray(value))
    return { value: value as Record<string, unknown> }
  return { flaws: [notAnObject(['body'], value)] }
}

export function missing(...path: (string | number)[]): Flaw {
  return { type: 'missing', loc: ['body', ...path], msg: 'Field required', input: null }
}

export function notAnObject(loc: (string | number)[], input: unknown): Flaw {
  const msg = 'Input should be a valid dictionary or object to extract fields from'
  return { type: 'model_attributes_type', loc, msg, input }
}

export function notAString(loc: (string | number)[], input: unknown): Flaw {
  return { type: 'string_type', loc, msg: 'Input should be a valid string', input }
}

/** One of the words, in pydantic's phrase: 'a', 'b' or 'c'. */
export function notOneOf(
  type: 'enum' | 'literal_error',
  field: string,
  words: readonly string[],
  input: unknown,
): Flaw {
  const quoted = words.map((word) => `'${word}'`)
  const expected = `${quoted.slice(0, -1).join(', ')} or ${quoted.at(-1)}`
  return {
    type,
    loc: ['body', field],
    msg: `Input should be ${expected}`,
    input,
    ctx: { expected },
  }
}

const uuid = /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i

/** undefined when the id is one. The words differ with the version of pydantic. */
export function flawOfId(
  input: unknown,
  loc: (string | number)[],
  features: Features,
): Flaw | undefined {
  if (typeof input === 'string' && uuid.test(input)) return undefined
  const error = faultIn(String(input), features)
  return {
    type: 'uuid_parsing',
    loc,
    msg: `Input should be a valid UUID, ${error}`,
    input,
    ctx: { error },
  }
}

function faultIn(text: string, features: Features): string {
  const at = [...text].findIndex((character) => !/[0-9a-fA-F-]/.test(character))
  if (at < 0) return `invalid length: expected length 32 for simple format, found ${text.length}`
  const found = `found \`${[...text][at]}\` at ${at + 1}`
  if (features.ui) return `invalid character: ${found}`
  return `invalid character: expected an optional prefix of \`urn:uuid:\` followed by [0-9a-fA-F-], ${found}`
}
