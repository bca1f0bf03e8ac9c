// Requests for the fuzzer, made from the description of a route: some as it wants them, some
// nearly, some not at all.

import fc from 'fast-check'
import type { Route } from './openapi-routes.ts'

type Schema = Record<string, unknown>

export interface Fuzzed {
  /** With its query. */
  path: string
  method: string
  headers: Record<string, string>
  body?: string
}

const junkText = fc.oneof(
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
const junk = fc.oneof(
  junkText,
  fc.constantFrom<unknown>(null, true, 0, -1, 1.5, 1e308, 2 ** 53, [], {}, [[]], [null], {
    __proto__: null,
    a: 1,
  }),
  fc.jsonValue({ maxDepth: 3 }),
)

/** Mostly what the schema takes, in all its shapes; at times what it doesn't. */
function madeOf(schema: Schema): fc.Arbitrary<unknown> {
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
  if (anyOf) return fc.oneof(...anyOf.map(madeOf))
  if (type === 'integer') return fc.integer({ min: minimum ?? -5, max: maximum ?? 1_000 })
  if (type === 'boolean') return fc.boolean()
  if (type === 'string')
    return fc.string({ unit: 'grapheme', minLength, maxLength: Math.min(maxLength, 60) })
  if (type === 'array')
    return fc.array(madeOf(items ?? {}), {
      minLength: minItems ?? 0,
      maxLength: Math.min(maxItems ?? 5, 8),
    })
  if (type === 'object' && properties) {
    const fields = Object.entries(properties).map(([name, one]) => {
      const good = madeOf(one)
      const value = fc.oneof({ weight: 12, arbitrary: good }, { weight: 1, arbitrary: junk })
      const isRequired = required.includes(name)
      return fc.option(fc.tuple(fc.constant(name), value), {
        nil: undefined,
        freq: isRequired ? 20 : 1,
      })
    })
    return fc
      .tuple(...fields)
      .map((pairs) => Object.fromEntries(pairs.filter((pair) => pair !== undefined)))
  }
  if (type === 'object')
    return fc.dictionary(fc.string({ maxLength: 20 }), fc.string({ maxLength: 20 }), { maxKeys: 5 })
  return junk
}

function bodyOf(schema: Schema | undefined): fc.Arbitrary<string | undefined> {
  const wild = fc.oneof(
    fc.constant(undefined),
    junk.map((value) => JSON.stringify(value)),
    junkText,
  )
  if (!schema)
    return fc.oneof(
      { weight: 4, arbitrary: fc.constant(undefined) },
      { weight: 1, arbitrary: wild },
    )
  const good = madeOf(schema)
  const extended = fc
    .tuple(good, fc.string({ maxLength: 8 }), junk)
    .map(([value, name, extra]) => ({ ...(value as object), [name]: extra }))
  return fc.oneof(
    { weight: 8, arbitrary: good.map((value) => JSON.stringify(value)) },
    { weight: 1, arbitrary: extended.map((value) => JSON.stringify(value)) },
    { weight: 2, arbitrary: wild },
  )
}

function queryOf(parameters: Route['parameters']): fc.Arbitrary<string> {
  const declared = parameters.filter((one) => one.in === 'query')
  const pairs = declared.map(({ name, schema }) =>
    fc.option(
      fc.tuple(
        fc.constant(name),
        fc.oneof(
          { weight: 3, arbitrary: madeOf(schema).map(String) },
          { weight: 1, arbitrary: junkText },
        ),
      ),
      {
        nil: undefined,
        freq: 2,
      },
    ),
  )
  const stray = fc.option(fc.tuple(junkText, junkText), { nil: undefined, freq: 1 })
  return fc.tuple(...pairs, stray).map((all) => {
    const given = all
      .filter((pair) => pair !== undefined)
      .map(([name, value]): [string, string] => [name.toWellFormed(), value.toWellFormed()])
    return given.length > 0 ? `?${new URLSearchParams(given)}` : ''
  })
}

const visible = fc.stringMatching(/^[\x21-\x7e]{1,40}$/)

function headersOf(token: string): fc.Arbitrary<Record<string, string>> {
  return fc.record(
    {
      authorization: fc.oneof(
        { weight: 30, arbitrary: fc.constant(`Bearer ${token}`) },
        { weight: 1, arbitrary: visible },
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
      'idempotency-key': visible,
      'last-event-id': fc.oneof(fc.nat().map(String), visible),
      'content-encoding': fc.constantFrom('identity', 'identity', 'identity', 'gzip'),
      'x-request-id': visible,
      origin: fc.constantFrom('null', 'https://evil.example'),
      range: fc.constant('bytes=0-1'),
    },
    { requiredKeys: ['authorization', 'content-type'] },
  )
}

/**
 * `ids` are those of presentations that there are; what else stands in a path names nothing, or is
 * none.
 */
export function requestsOf(
  { method, path, parameters, bodySchema }: Route,
  { token, ids }: { token: string; ids: string[] },
): fc.Arbitrary<Fuzzed> {
  const inPath = fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(...ids) },
    { weight: 1, arbitrary: fc.uuid() },
    {
      weight: 1,
      arbitrary: junkText.map(
        (text) =>
          encodeURIComponent(text.toWellFormed()).replaceAll('.', '%2E').slice(0, 4_000) || 'x',
      ),
    },
  )
  const body = method === 'GET' ? fc.constant(undefined) : bodyOf(bodySchema)
  return fc
    .record({ id: inPath, query: queryOf(parameters), headers: headersOf(token), body })
    .map(({ id, query, headers, body: text }) => ({
      method,
      path: `${path.replace(/\{[^}]*\}/, () => id)}${query}`,
      headers,
      ...(text === undefined ? {} : { body: text }),
    }))
}
