// The attacks of the benchmark `attacks`: what each sends, and on how many connections. Journeys
// test that the gateway rejects each correctly; here only the load matters.

export interface Attack {
  name: string
  connections: number
  /** Sent in rotation. `{token}` is replaced by a valid token of another user. */
  requests: string[]
  /** Sends the next request after each response. Otherwise it holds one unfinished request. */
  isFlood?: boolean
  /** The gateway is expected to close most of its connections at once. */
  isRefused?: boolean
  /** Its connections do nothing, so that the memory of one can be measured. */
  isIdle?: boolean
  /** Bytes that continue a held request at an interval. */
  drip?: string
  /** Default 1000. */
  dripIntervalMs?: number
}

const host = 'Host: x\r\n'
const authorization = 'Authorization: Bearer {token}\r\n'
const json = 'Content-Type: application/json\r\n'
const startPost = (contentLength: number | string) =>
  `POST /api/v1/presentations HTTP/1.1\r\n${host}${authorization}${json}Content-Length: ${contentLength}\r\n\r\n`
const post = (body: string) => `${startPost(body.length)}${body}`
const get = (path: string, headers = '') => `GET ${path} HTTP/1.1\r\n${host}${headers}\r\n`
/** Just below the limit of a body. */
const bodyBytes = 8 * 1024 * 1024 - 1024

export const attacks: Attack[] = [
  { name: 'idle connections', connections: 10_000, isIdle: true, requests: [] },
  {
    name: 'keep-alive connections',
    connections: 10_000,
    isIdle: true,
    requests: [get('/health/live')],
  },
  {
    name: 'slow headers',
    connections: 2_000,
    requests: [`GET /api/v1/presentations HTTP/1.1\r\n${host}`],
    drip: 'X: y\r\n',
  },
  {
    name: 'slow bodies',
    connections: 1_000,
    requests: [`${startPost(60_000)}{`],
    drip: ' ',
  },
  {
    name: 'slow 8 MB bodies',
    connections: 1_000,
    isRefused: true,
    requests: [`${startPost(8_000_000)}{`],
    drip: ' ',
  },
  {
    name: 'large headers',
    connections: 16,
    isFlood: true,
    requests: [
      get('/health', 'X: y\r\n'.repeat(10_000)),
      get('/api/v1/presentations', `X: ${'x'.repeat(40_000)}\r\n`),
      get('/api/v1/presentations', 'X: y\r\n'.repeat(500)),
    ],
  },
  {
    name: 'deeply nested JSON',
    connections: 16,
    isFlood: true,
    requests: [
      post(`{"content":${'['.repeat(50_000)}${']'.repeat(50_000)}}`),
      post(`${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}`),
    ],
  },
  {
    name: 'invalid 8 MiB bodies',
    connections: 4,
    isFlood: true,
    requests: [
      post('x'.repeat(bodyBytes)),
      post(`{"content":"${'x'.repeat(bodyBytes - 14)}"}`),
      post(`[${'1,'.repeat(bodyBytes / 2 - 2)}1]`),
    ],
  },
  {
    name: 'malformed paths',
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
    name: 'unauthenticated requests',
    connections: 16,
    isFlood: true,
    requests: [
      get('/api/v1/presentations'),
      get(
        '/api/v1/presentations',
        `Authorization: Bearer ${'eyJhbGciOiJIUzI1NiJ9.e30.'.padEnd(68, 'x')}\r\n`,
      ),
      get('/api/v1/presentations', 'Authorization: Bearer {token}x\r\n'),
      post('{"content":"x"}').replace(authorization, ''),
    ],
  },
  {
    name: 'invalid content lengths',
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
    ].map((contentLength) => `${startPost(contentLength)}{"content":"x"}`),
  },
]
