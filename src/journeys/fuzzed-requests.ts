// Generates the fuzzer's requests from the OpenAPI description of a route: mostly valid, some
// nearly valid, some random.

import fc from 'fast-check'
import type { Route } from './openapi-routes.ts'

type Schema = Record<string, unknown>

export interface FuzzedRequest {
  /** With the query string. */
  path: string
  method: string
  headers: Record<string, string>
  body?: string
}

const randomText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.constantFrom(
    '',
    ' ',
    '0',
    '-1',
    '1e3',
    'null',
    'true',
    '[]',
    '{}',
    '\u0000',
    '\ud800',
    '../..',
    "' or 1=1",
    '%',
    '🚀',
    '__proto__',
    'x'.repeat(3_000),
  ),
)
const randomValue = fc.oneof(
  randomText,
  fc.constantFrom<unknown>(null, true, 0, -1, 1.5, 1e308, 2 ** 53, [], {}, [[]], [null], {
    __proto__: null,
    a: 1,
  }),
  fc.jsonValue({ maxDepth: 3 }),
)

/** Mostly values that match the schema; objects may have a few members that don't. */
function valuesFor(schema: Schema): fc.Arbitrary<unknown> {
  const {
    type,
    enum: choices,
    minimum,
    maximum,
    maxLength = 60,
    minLength = 0,
    items,
    properties,
    required = [],
    minItems,
    maxItems,
    anyOf,
  } = schema as {
    type?: string
    enum?: unknown[]
    minimum?: number
    maximum?: number
    maxLength?: number
    minLength?: number
    items?: Schema
    properties?: Record<string, Schema>
    required?: string[]
    minItems?: number
    maxItems?: number
    anyOf?: Schema[]
  }
  if (choices) return fc.constantFrom(...choices)
  if (anyOf) return fc.oneof(...anyOf.map(valuesFor))
  if (type === 'integer') return fc.integer({ min: minimum ?? -5, max: maximum ?? 1_000 })
  if (type === 'boolean') return fc.boolean()
  if (type === 'string')
    return fc.string({ unit: 'grapheme', minLength, maxLength: Math.min(maxLength, 60) })
  if (type === 'array')
    return fc.array(valuesFor(items ?? {}), {
      minLength: minItems ?? 0,
      maxLength: Math.min(maxItems ?? 5, 8),
    })
  if (type === 'object' && properties) {
    const members = Object.entries(properties).map(([name, memberSchema]) => {
      const valid = valuesFor(memberSchema)
      const value = fc.oneof(
        { weight: 12, arbitrary: valid },
        { weight: 1, arbitrary: randomValue },
      )
      const isRequired = required.includes(name)
      return fc.option(fc.tuple(fc.constant(name), value), {
        nil: undefined,
        freq: isRequired ? 20 : 1,
      })
    })
    return fc
      .tuple(...members)
      .map((pairs) => Object.fromEntries(pairs.filter((pair) => pair !== undefined)))
  }
  if (type === 'object')
    return fc.dictionary(fc.string({ maxLength: 20 }), fc.string({ maxLength: 20 }), { maxKeys: 5 })
  return randomValue
}

function bodiesFor(schema: Schema | undefined): fc.Arbitrary<string | undefined> {
  const random = fc.oneof(
    fc.constant(undefined),
    randomValue.map((value) => JSON.stringify(value)),
    randomText,
  )
  if (!schema)
    return fc.oneof(
      { weight: 4, arbitrary: fc.constant(undefined) },
      { weight: 1, arbitrary: random },
    )
  const valid = valuesFor(schema)
  const withExtraMember = fc
    .tuple(valid, fc.string({ maxLength: 8 }), randomValue)
    .map(([value, name, extra]) => ({ ...(value as object), [name]: extra }))
  return fc.oneof(
    { weight: 8, arbitrary: valid.map((value) => JSON.stringify(value)) },
    { weight: 1, arbitrary: withExtraMember.map((value) => JSON.stringify(value)) },
    { weight: 2, arbitrary: random },
  )
}

function queriesFor(parameters: Route['parameters']): fc.Arbitrary<string> {
  const declared = parameters.filter((parameter) => parameter.in === 'query')
  const pairs = declared.map(({ name, schema }) =>
    fc.option(
      fc.tuple(
        fc.constant(name),
        fc.oneof(
          { weight: 3, arbitrary: valuesFor(schema).map(String) },
          { weight: 1, arbitrary: randomText },
        ),
      ),
      {
        nil: undefined,
        freq: 2,
      },
    ),
  )
  const undeclared = fc.option(fc.tuple(randomText, randomText), { nil: undefined, freq: 1 })
  return fc.tuple(...pairs, undeclared).map((all) => {
    const included = all
      .filter((pair) => pair !== undefined)
      .map(([name, value]): [string, string] => [name.toWellFormed(), value.toWellFormed()])
    return included.length > 0 ? `?${new URLSearchParams(included)}` : ''
  })
}

const visibleAscii = fc.stringMatching(/^[\x21-\x7e]{1,40}$/)

function headersFor(token: string): fc.Arbitrary<Record<string, string>> {
  return fc.record(
    {
      authorization: fc.oneof(
        { weight: 30, arbitrary: fc.constant(`Bearer ${token}`) },
        { weight: 1, arbitrary: visibleAscii },
      ),
      accept: fc.constantFrom(
        '*/*',
        'application/json',
        'text/event-stream',
        'text/html',
        'application/json;q=0',
        ';;;',
      ),
      'content-type': fc.oneof(
        {
          weight: 12,
          arbitrary: fc.constantFrom('application/json', 'application/json; charset=utf-8'),
        },
        {
          weight: 1,
          arbitrary: fc.constantFrom(
            'text/plain',
            'application/x-www-form-urlencoded',
            'application/jsonx',
            ';',
            'application/problem+json',
          ),
        },
      ),
      'idempotency-key': visibleAscii,
      'last-event-id': fc.oneof(fc.nat().map(String), visibleAscii),
      'content-encoding': fc.constantFrom('identity', 'identity', 'identity', 'gzip'),
      'x-request-id': visibleAscii,
      origin: fc.constantFrom('null', 'https://evil.example'),
      range: fc.constant('bytes=0-1'),
    },
    { requiredKeys: ['authorization', 'content-type'] },
  )
}

/**
 * `ids` are existing presentations. Path parameters are mostly these, else unknown or malformed.
 */
export function fuzzRequests(
  { method, path, parameters, bodySchema }: Route,
  { token, ids }: { token: string; ids: string[] },
): fc.Arbitrary<FuzzedRequest> {
  const pathParameter = fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(...ids) },
    { weight: 1, arbitrary: fc.uuid() },
    {
      weight: 1,
      arbitrary: randomText.map(
        (text) =>
          encodeURIComponent(text.toWellFormed()).replaceAll('.', '%2E').slice(0, 4_000) || 'x',
      ),
    },
  )
  const body = method === 'GET' ? fc.constant(undefined) : bodiesFor(bodySchema)
  return fc
    .record({ id: pathParameter, query: queriesFor(parameters), headers: headersFor(token), body })
    .map(({ id, query, headers, body: text }) => ({
      method,
      path: `${path.replace(/\{[^}]*\}/, () => id)}${query}`,
      headers,
      ...(text === undefined ? {} : { body: text }),
    }))
}
