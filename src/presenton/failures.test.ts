import { describe, expect, it } from 'vitest'
import { modelFailures } from '../sandbox/presenton/faults/model-failures.ts'
import {
  fault,
  mayHaveStarted,
  parseRetryAfter,
  type RouteKind,
  readReason,
  suggestsVersionChange,
  toProblem,
} from './failures.ts'

const now = Date.parse('2026-11-21T08:00:00Z')

function problemFor(
  status: number,
  text: string,
  routeKind: RouteKind = 'deck',
  headers: Record<string, string> = {},
) {
  return toProblem({ status, headers, text }, { routeKind, nowMs: now })
}

const withDetail = (detail: string) => JSON.stringify({ detail })

describe('The failure of a response', () => {
  it.each([
    ['a 502 page of nginx', 502, '<html>', 'deck', 'UPSTREAM_UNAVAILABLE', 'outage'],
    ['a 503', 503, '', 'prepare', 'UPSTREAM_UNAVAILABLE', 'outage'],
    ['a 503 of upstream itself', 503, '{"detail":"x"}', 'prepare', 'UPSTREAM_ERROR', 'fault'],
    ['a 503 as JSON of a proxy', 503, '{"error":"x"}', 'deck', 'UPSTREAM_UNAVAILABLE', 'outage'],
    ['a 504', 504, '<html>', 'file', 'UPSTREAM_UNAVAILABLE', 'outage'],
    ['a plain-text 500', 500, 'Internal Server Error', 'deck', 'UPSTREAM_ERROR', 'fault'],
    [
      'a 400',
      400,
      withDetail('Presentation not prepared for stream'),
      'deck',
      'UPSTREAM_REJECTED',
      'final',
    ],
    ['a 413', 413, '<html>', 'other', 'UPSTREAM_REJECTED', 'final'],
    ['a 428', 428, withDetail('Login setup is required'), 'other', 'UPSTREAM_REJECTED', 'final'],
    ['a 408', 408, '', 'deck', 'UPSTREAM_ERROR', 'fault'],
    ['a 425', 425, '', 'deck', 'UPSTREAM_ERROR', 'fault'],
    ['a 429', 429, '', 'deck', 'UPSTREAM_ERROR', 'limit'],
    ['a 429 of nginx', 429, '<html>', 'file', 'UPSTREAM_ERROR', 'limit'],
    [
      'a 429 because no credit is left',
      429,
      withDetail("{'code': 'insufficient_quota'}"),
      'prepare',
      'UPSTREAM_ERROR',
      'fault',
    ],
    [
      'a limit of the model behind a 500',
      500,
      withDetail(modelFailures['429'].raw),
      'prepare',
      'UPSTREAM_ERROR',
      'limit',
    ],
    [
      'a limit of the model behind a 503',
      503,
      withDetail('The model is overloaded. Please try again later.'),
      'prepare',
      'UPSTREAM_ERROR',
      'limit',
    ],
    [
      'the text of a limit on a route without a model',
      500,
      withDetail(modelFailures['429'].raw),
      'other',
      'UPSTREAM_ERROR',
      'fault',
    ],
    ['a redirect', 302, '', 'deck', 'UPSTREAM_ERROR', 'fault'],
    ['a missing deck', 404, withDetail('Presentation not found'), 'deck', 'UPSTREAM_ERROR', 'gone'],
    ['a missing route', 404, withDetail('Not Found'), 'deck', 'UPSTREAM_REJECTED', 'final'],
    ['refused credentials', 401, withDetail('Unauthorized'), 'deck', 'UPSTREAM_REJECTED', 'final'],
    [
      "the model's 401 in prepare",
      401,
      withDetail('Invalid API key. Please verify your API key and try again.'),
      'prepare',
      'UPSTREAM_ERROR',
      'fault',
    ],
    [
      "the model's 400 in prepare",
      400,
      withDetail('LLM did not return any content'),
      'prepare',
      'UPSTREAM_ERROR',
      'fault',
    ],
    [
      "the model's 429 in prepare",
      429,
      withDetail('rate limited'),
      'prepare',
      'UPSTREAM_ERROR',
      'limit',
    ],
    [
      "the model's 403 in prepare",
      403,
      withDetail('not for you'),
      'prepare',
      'UPSTREAM_ERROR',
      'fault',
    ],
    [
      "the model's 404 in prepare",
      404,
      withDetail('no such model'),
      'prepare',
      'UPSTREAM_ERROR',
      'fault',
    ],
    [
      "the model's 404 in prepare, in the words of a route",
      404,
      withDetail('Not Found'),
      'prepare',
      'UPSTREAM_ERROR',
      'fault',
    ],
    [
      'a 405 in prepare',
      405,
      withDetail('Method Not Allowed'),
      'prepare',
      'UPSTREAM_ERROR',
      'fault',
    ],
    [
      "the model's 401 in prepare, in the words of a login",
      401,
      withDetail('Unauthorized'),
      'prepare',
      'UPSTREAM_ERROR',
      'fault',
    ],
    ['a 422 of prepare', 422, '{"detail":[]}', 'prepare', 'UPSTREAM_REJECTED', 'final'],
    [
      'a missing template in prepare',
      404,
      withDetail('Template layout not found'),
      'prepare',
      'UPSTREAM_REJECTED',
      'final',
    ],
    [
      'a missing deck in prepare',
      404,
      withDetail('Presentation not found'),
      'prepare',
      'UPSTREAM_ERROR',
      'gone',
    ],
    ['a missing file', 404, '<html>', 'file', 'UPSTREAM_ERROR', 'bad-file'],
    ['a redirected file', 301, '', 'file', 'UPSTREAM_ERROR', 'bad-file'],
    ['a file without content', 204, '', 'file', 'UPSTREAM_ERROR', 'bad-file'],
    [
      'a file that the gateway is not allowed to read',
      401,
      '<html>',
      'file',
      'UPSTREAM_REJECTED',
      'final',
    ],
  ] as const)('is right for %s', (_, status, text, routeKind, code, failure) => {
    expect(problemFor(status, text, routeKind)).toMatchObject({ code, failure })
  })

  it('quotes upstream only if it is final, and redacted', () => {
    const text = withDetail('The file /app_data/x is not on host http://presenton:8000')
    expect(problemFor(400, text).detail).toBe(
      'The presentation generator rejected the request. The file [path] is not on host [url]',
    )
    expect(problemFor(500, text).detail).toBe('The presentation generator failed.')
    expect(problemFor(400, withDetail('x y '.repeat(500))).detail.length).toBeLessThan(360)
  })

  it('quotes the fields and reasons of a validation error, never its input', () => {
    const detail = [
      {
        type: 'less_than_equal',
        loc: ['body', 'n_slides'],
        msg: 'Input should be less than 50',
        input: 'my secret text',
      },
    ]
    expect(readReason(JSON.stringify({ detail }))).toBe('n_slides: Input should be less than 50')
  })

  it.each([
    ['"x"', '"x"'],
    ['<html><body>502', ''],
    ['{"error":"Unknown template group: x"}', 'Unknown template group: x'],
    ['{"detail":{"a":1}}', ''],
    ['{broken', ''],
    ['', ''],
  ])('has the reason of the body %s', (text, reason) => expect(readReason(text)).toBe(reason))

  it.each([
    ['300', 300],
    ['0', 1],
    ['999999', 600],
    ['Sat, 21 Nov 2026 08:00:30 GMT', 30],
    ['Sat, 21 Nov 2020 08:00:30 GMT', 1],
    ['soon', undefined],
    ['', undefined],
  ])('has the seconds of Retry-After: %s', (value, seconds) =>
    expect(parseRetryAfter({ 'retry-after': value }, now)).toBe(seconds),
  )

  it('has the Retry-After of upstream', () => {
    expect(problemFor(429, '', 'deck', { 'retry-after': '7' }).retryAfterSeconds).toBe(7)
    expect(problemFor(503, '', 'deck', { 'retry-after': '8' }).retryAfterSeconds).toBe(8)
  })

  it.each([
    ['in its text', 'Rate limit reached. Please try again in 20s.', {}, 20],
    ['in its header, which comes first', 'Try again in 20s.', { 'retry-after': '7' }, 7],
    ['nowhere', 'Too many requests', {}, undefined],
  ])('has the seconds of a limit that are told %s', (_, text, headers, seconds) => {
    const problem = problemFor(429, withDetail(text), 'prepare', headers as Record<string, string>)
    expect(problem).toMatchObject({ failure: 'limit', modelFailure: 'limit' })
    expect(problem.retryAfterSeconds).toBe(seconds)
  })

  it("names what is wrong with the model, which a user's detail does not", () => {
    const problem = problemFor(500, withDetail(modelFailures['401'].raw), 'prepare')
    expect(problem).toMatchObject({ failure: 'fault', modelFailure: 'credentials' })
    expect(problem.detail).toBe('The presentation generator failed.')
  })

  it('says that nothing was started if upstream was down or refused', () => {
    for (const status of [400, 404, 408, 422, 429, 503])
      expect(mayHaveStarted(problemFor(status, withDetail('x')))).toBe(false)
    expect(mayHaveStarted(problemFor(500, 'Internal Server Error'))).toBe(true)
    expect(mayHaveStarted(fault('the connection broke'))).toBe(true)
  })

  it('suggests another version for a missing route and for a body that is not accepted', () => {
    expect(suggestsVersionChange(problemFor(404, withDetail('Not Found')))).toBe(true)
    expect(suggestsVersionChange(problemFor(405, withDetail('Method Not Allowed')))).toBe(true)
    expect(suggestsVersionChange(problemFor(422, '{"detail":[]}', 'prepare'))).toBe(true)
    expect(suggestsVersionChange(problemFor(404, withDetail('Not Found'), 'prepare'))).toBe(true)
    expect(suggestsVersionChange(problemFor(404, withDetail('Presentation not found')))).toBe(false)
    expect(suggestsVersionChange(problemFor(400, withDetail('no')))).toBe(false)
  })
})
