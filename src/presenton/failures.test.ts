import { describe, expect, it } from 'vitest'
import {
  fault,
  mayHaveStarted,
  problemOf,
  reasonOf,
  retryAfterOf,
  type Subject,
  suggestsVersionChange,
} from './failures.ts'

const now = Date.parse('2026-11-21T08:00:00Z')

function judge(
  status: number,
  text: string,
  subject: Subject = 'deck',
  headers: Record<string, string> = {},
) {
  return problemOf({ status, headers, text }, subject, now)
}

const says = (detail: string) => JSON.stringify({ detail })

describe('What an answer of upstream means', () => {
  it.each([
    ['a 502 page of nginx', 502, '<html>', 'deck', 'UPSTREAM_UNAVAILABLE', 'outage'],
    ['a 503', 503, '', 'prepare', 'UPSTREAM_UNAVAILABLE', 'outage'],
    ['a 504', 504, '<html>', 'file', 'UPSTREAM_UNAVAILABLE', 'outage'],
    ['a plain-text 500', 500, 'Internal Server Error', 'deck', 'UPSTREAM_ERROR', 'fault'],
    [
      'a 400',
      400,
      says('Presentation not prepared for stream'),
      'deck',
      'UPSTREAM_REJECTED',
      'final',
    ],
    ['a 413', 413, '<html>', 'other', 'UPSTREAM_REJECTED', 'final'],
    ['a 428', 428, says('Login setup is required'), 'other', 'UPSTREAM_REJECTED', 'final'],
    ['a 408', 408, '', 'deck', 'UPSTREAM_ERROR', 'fault'],
    ['a 425', 425, '', 'deck', 'UPSTREAM_ERROR', 'fault'],
    ['a 429', 429, '', 'deck', 'UPSTREAM_ERROR', 'fault'],
    ['a redirect', 302, '', 'deck', 'UPSTREAM_ERROR', 'fault'],
    ['a deck that is gone', 404, says('Presentation not found'), 'deck', 'UPSTREAM_ERROR', 'gone'],
    ['a route that is not there', 404, says('Not Found'), 'deck', 'UPSTREAM_REJECTED', 'final'],
    ['no login', 401, says('Unauthorized'), 'deck', 'UPSTREAM_REJECTED', 'final'],
    [
      "the model's 401 in prepare",
      401,
      says('Invalid API key. Please verify your API key and try again.'),
      'prepare',
      'UPSTREAM_ERROR',
      'fault',
    ],
    [
      "the model's 400 in prepare",
      400,
      says('LLM did not return any content'),
      'prepare',
      'UPSTREAM_ERROR',
      'fault',
    ],
    ["the model's 429 in prepare", 429, says('rate limited'), 'prepare', 'UPSTREAM_ERROR', 'fault'],
    ["the model's 403 in prepare", 403, says('not for you'), 'prepare', 'UPSTREAM_ERROR', 'fault'],
    [
      "the model's 404 in prepare",
      404,
      says('no such model'),
      'prepare',
      'UPSTREAM_ERROR',
      'fault',
    ],
    [
      "the model's 404 in prepare, in the words of a route",
      404,
      says('Not Found'),
      'prepare',
      'UPSTREAM_ERROR',
      'fault',
    ],
    ['a 405 in prepare', 405, says('Method Not Allowed'), 'prepare', 'UPSTREAM_ERROR', 'fault'],
    ['no login in prepare', 401, says('Unauthorized'), 'prepare', 'UPSTREAM_REJECTED', 'final'],
    ['a 422 of prepare', 422, '{"detail":[]}', 'prepare', 'UPSTREAM_REJECTED', 'final'],
    [
      'no such template in prepare',
      404,
      says('Template layout not found'),
      'prepare',
      'UPSTREAM_REJECTED',
      'final',
    ],
    [
      'a deck that is gone in prepare',
      404,
      says('Presentation not found'),
      'prepare',
      'UPSTREAM_ERROR',
      'gone',
    ],
    ['a file that is gone', 404, '<html>', 'file', 'UPSTREAM_ERROR', 'bad-file'],
    ['a file that is elsewhere', 301, '', 'file', 'UPSTREAM_ERROR', 'bad-file'],
    ['a file without its body', 204, '', 'file', 'UPSTREAM_ERROR', 'bad-file'],
    ['a file we may not read', 401, '<html>', 'file', 'UPSTREAM_REJECTED', 'final'],
  ] as const)('%s', (_, status, text, subject, code, failure) => {
    expect(judge(status, text, subject)).toMatchObject({ code, failure })
  })

  it('quotes upstream only where it is final, and redacted', () => {
    const text = says('The file /app_data/x is not on host http://presenton:8000')
    expect(judge(400, text).detail).toBe(
      'The presentation generator rejected the request. The file [path] is not on host [url]',
    )
    expect(judge(500, text).detail).toBe('The presentation generator failed.')
    expect(judge(400, says('x y '.repeat(500))).detail.length).toBeLessThan(360)
  })

  it('gives of a validation error the places and the reasons, never the input', () => {
    const detail = [
      {
        type: 'less_than_equal',
        loc: ['body', 'n_slides'],
        msg: 'Input should be less than 50',
        input: 'my secret text',
      },
    ]
    expect(reasonOf(JSON.stringify({ detail }))).toBe('n_slides: Input should be less than 50')
  })

  it.each([
    ['"x"', '"x"'],
    ['<html><body>502', ''],
    ['{"error":"Unknown template group: x"}', 'Unknown template group: x'],
    ['{"detail":{"a":1}}', ''],
    ['{broken', ''],
    ['', ''],
  ])('reads %s', (text, reason) => expect(reasonOf(text)).toBe(reason))

  it.each([
    ['300', 300],
    ['0', 1],
    ['999999', 600],
    ['Sat, 21 Nov 2026 08:00:30 GMT', 30],
    ['Sat, 21 Nov 2020 08:00:30 GMT', 1],
    ['soon', undefined],
    ['', undefined],
  ])('reads Retry-After: %s', (value, seconds) =>
    expect(retryAfterOf({ 'retry-after': value }, now)).toBe(seconds),
  )

  it('waits as long as upstream says', () => {
    expect(judge(429, '', 'deck', { 'retry-after': '7' }).retryAfterSeconds).toBe(7)
    expect(judge(503, '', 'deck', { 'retry-after': '8' }).retryAfterSeconds).toBe(8)
  })

  it('knows that nothing was begun where nobody answered, and where upstream refused', () => {
    for (const status of [400, 404, 408, 422, 429, 502])
      expect(mayHaveStarted(judge(status, says('x')))).toBe(false)
    expect(mayHaveStarted(judge(500, 'Internal Server Error'))).toBe(true)
    expect(mayHaveStarted(fault('the connection broke'))).toBe(true)
  })

  it('sees a hint that upstream was replaced in a route that is not there and in a body that is not taken', () => {
    expect(suggestsVersionChange(judge(404, says('Not Found')))).toBe(true)
    expect(suggestsVersionChange(judge(405, says('Method Not Allowed')))).toBe(true)
    expect(suggestsVersionChange(judge(422, '{"detail":[]}', 'prepare'))).toBe(true)
    expect(suggestsVersionChange(judge(404, says('Not Found'), 'prepare'))).toBe(true)
    expect(suggestsVersionChange(judge(404, says('Presentation not found')))).toBe(false)
    expect(suggestsVersionChange(judge(400, says('no')))).toBe(false)
  })
})
