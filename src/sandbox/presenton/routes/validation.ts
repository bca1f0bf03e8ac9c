/**
 * Checks request bodies and ids like FastAPI, with the error texts of pydantic.
 */

import type { FieldError } from '../reply.ts'
import type { Features } from '../shape.ts'
import type { Exchange } from '../state.ts'

export type Validated<T> = { value: T } | { errors: readonly FieldError[] }

/** The body as an object; errors when it is not JSON or not an object. */
export async function readObject(exchange: Exchange): Promise<Validated<Record<string, unknown>>> {
  const text = (await exchange.readBody()).toString()
  if (text === '')
    return { errors: [{ type: 'missing', loc: ['body'], msg: 'Field required', input: null }] }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    const ctx = { error: 'Expecting property name enclosed in double quotes' }
    return {
      errors: [
        { type: 'json_invalid', loc: ['body', 1], msg: 'JSON decode error', input: {}, ctx },
      ],
    }
  }
  if (value && typeof value === 'object' && !Array.isArray(value))
    return { value: value as Record<string, unknown> }
  return { errors: [notAnObject(['body'], value)] }
}

export function missingField(...path: (string | number)[]): FieldError {
  return { type: 'missing', loc: ['body', ...path], msg: 'Field required', input: null }
}

export function tooShort(field: string, input: unknown, min_length: number): FieldError[] {
  if (typeof input !== 'string' || input.length >= min_length) return []
  const msg = `String should have at least ${min_length} characters`
  return [{ type: 'string_too_short', loc: ['body', field], msg, input, ctx: { min_length } }]
}

export function notAnObject(loc: (string | number)[], input: unknown): FieldError {
  const msg = 'Input should be a valid dictionary or object to extract fields from'
  return { type: 'model_attributes_type', loc, msg, input }
}

export function notAString(loc: (string | number)[], input: unknown): FieldError {
  return { type: 'string_type', loc, msg: 'Input should be a valid string', input }
}

/** The input is not one of the words, which pydantic lists as: 'a', 'b' or 'c'. */
export function notOneOf(
  type: 'enum' | 'literal_error',
  field: string,
  words: readonly string[],
  input: unknown,
): FieldError {
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

/** Undefined for a UUID. The text depends on the version of pydantic. */
export function idError(
  input: unknown,
  loc: (string | number)[],
  features: Features,
): FieldError | undefined {
  if (typeof input === 'string' && uuid.test(input)) return undefined
  const error = describeInvalidId(String(input), features)
  return {
    type: 'uuid_parsing',
    loc,
    msg: `Input should be a valid UUID, ${error}`,
    input,
    ctx: { error },
  }
}

function describeInvalidId(text: string, features: Features): string {
  const at = [...text].findIndex((char) => !/[0-9a-fA-F-]/.test(char))
  if (at < 0) return `invalid length: expected length 32 for simple format, found ${text.length}`
  const found = `found \`${[...text][at]}\` at ${at + 1}`
  if (features.hasSlideUi) return `invalid character: ${found}`
  return `invalid character: expected an optional prefix of \`urn:uuid:\` followed by [0-9a-fA-F-], ${found}`
}
