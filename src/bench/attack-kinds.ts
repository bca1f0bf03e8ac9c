// What an attacker writes, attack by attack, and on how many connections: what `attacks` measures,
// and the attacker does. The journeys see that each is refused as it should be; here it only has to
// hurt.

export interface Attack {
  name: string
  connections: number
  /** Written in turn; `{token}` is a good one, of a user who is not the honest one. */
  requests: string[]
  /** Asks again as soon as it is answered; else it holds what it has begun. */
  isFlood?: boolean
  /** Most of its connections are to be ended at once. */
  isRefused?: boolean
  /** Holds little else than its connections: what one costs in memory is told. */
  isIdle?: boolean
  /** What a held request is fed with. */
  drip?: string
  everyMs?: number
}

const host = 'Host: x\r\n'
const good = 'Authorization: Bearer {token}\r\n'
const json = 'Content-Type: application/json\r\n'
const post = (body: string, more = good) =>
  `POST /api/v1/presentations HTTP/1.1\r\n${host}${more}${json}Content-Length: ${body.length}\r\n\r\n${body}`
const get = (path: string, more = '') => `GET ${path} HTTP/1.1\r\n${host}${more}\r\n`
/** Just within the bound of a body. */
const bodyBytes = 8 * 1024 * 1024 - 1024

export const attacks: Attack[] = [
  { name: 'idle connections', connections: 10_000, isIdle: true, requests: [] },
  { name: 'kept connections', connections: 10_000, isIdle: true, requests: [get('/health/live')] },
  {
    name: 'slow heads',
    connections: 2_000,
    requests: [`GET /api/v1/presentations HTTP/1.1\r\n${host}`],
    drip: 'X: y\r\n',
  },
  {
    name: 'slow bodies',
    connections: 1_000,
    requests: [
      `POST /api/v1/presentations HTTP/1.1\r\n${host}${good}${json}Content-Length: 60000\r\n\r\n{`,
    ],
    drip: ' ',
  },
  {
    name: 'slow bodies of 8 MB',
    connections: 1_000,
    isRefused: true,
    requests: [
      `POST /api/v1/presentations HTTP/1.1\r\n${host}${good}${json}Content-Length: 8000000\r\n\r\n{`,
    ],
    drip: ' ',
  },
  {
    name: 'floods of headers',
    connections: 16,
    isFlood: true,
    requests: [
      get('/health', 'X: y\r\n'.repeat(10_000)),
      get('/api/v1/presentations', `X: ${'x'.repeat(40_000)}\r\n`),
      get('/api/v1/presentations', 'X: y\r\n'.repeat(500)),
    ],
  },
  {
    name: 'deep JSON',
    connections: 16,
    isFlood: true,
    requests: [
      post(`{"content":${'['.repeat(50_000)}${']'.repeat(50_000)}}`),
      post(`${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}`),
    ],
  },
  {
    name: 'nonsense of 8 MiB',
    connections: 4,
    isFlood: true,
    requests: [
      post('x'.repeat(bodyBytes)),
      post(`{"content":"${'x'.repeat(bodyBytes - 14)}"}`),
      post(`[${'1,'.repeat(bodyBytes / 2 - 2)}1]`),
    ],
  },
  {
    name: 'path tricks',
    connections: 16,
    isFlood: true,
    requests: [
      '/nothing',
      '/%2e%2e/%2e%2e/etc/passwd',
      '//api//v1/presentations',
      '/api/v1/presentations/%00',
      '/docs/static/..%2f..%2fpackage.json',
      '/%zz',
      `/${'a/'.repeat(8_000)}`,
      `/api/v1/presentations/${'x'.repeat(20_000)}`,
    ].map((path) => get(path)),
  },
  {
    name: 'requests of nobody',
    connections: 16,
    isFlood: true,
    requests: [
      get('/api/v1/presentations'),
      get(
        '/api/v1/presentations',
        `Authorization: Bearer ${'eyJhbGciOiJIUzI1NiJ9.e30.'.padEnd(68, 'x')}\r\n`,
      ),
      get('/api/v1/presentations', 'Authorization: Bearer {token}x\r\n'),
      post('{"content":"x"}', ''),
    ],
  },
  {
    name: 'broken lengths',
    connections: 16,
    isFlood: true,
    requests: [
      '-1',
      '+15',
      '0xf',
      '15, 15',
      '99999999999999999999',
      '15\r\nContent-Length: 0',
      '6\r\nTransfer-Encoding: chunked',
    ].map(
      (length) =>
        `POST /api/v1/presentations HTTP/1.1\r\n${host}${good}${json}Content-Length: ${length}\r\n\r\n{"content":"x"}`,
    ),
  },
]
