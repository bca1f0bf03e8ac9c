// Requests as no honest client writes them, byte for byte: broken framing, smuggled seconds, odd
// paths and methods, heads and bodies out of all proportion. Each with the statuses that may answer
// it, one for each request that counts as one.

export interface MalformedRequest {
  name: string
  /** What is written; `{auth}` is a good Authorization line, `{id}` a presentation of its user. */
  bytes: string
  /** Of the answers, in order. Two statuses where both are right. */
  answers: (number | number[])[]
}

const close = 'Host: x\r\nConnection: close\r\n'
const json = 'Content-Type: application/json\r\n'
const brief = '{"content":"x"}'
const post = (head: string, body = '') =>
  `POST /api/v1/presentations HTTP/1.1\r\nHost: x\r\n{auth}${head}\r\n${body}`
const get = (path: string, more = '') => `GET ${path} HTTP/1.1\r\n${close}{auth}${more}\r\n`
/** What a front server would take for a body, and a careless one behind it for the next request. */
const smuggled = `GET /api/v1/smuggled HTTP/1.1\r\nHost: x\r\n\r\n`

const framing: [name: string, head: string, body?: string][] = [
  [
    'length and chunks',
    `${json}Content-Length: 6\r\nTransfer-Encoding: chunked\r\n`,
    `0\r\n\r\n${smuggled}`,
  ],
  [
    'chunks and length',
    `${json}Transfer-Encoding: chunked\r\nContent-Length: 6\r\n`,
    `0\r\n\r\n${smuggled}`,
  ],
  ['two lengths', `${json}Content-Length: 15\r\nContent-Length: 0\r\n`, `${brief}${smuggled}`],
  [
    'the same length twice',
    `${json}Content-Length: 15\r\nContent-Length: 15\r\n`,
    `${brief}${smuggled}`,
  ],
  ['a list of lengths', `${json}Content-Length: 15, 15\r\n`, `${brief}${smuggled}`],
  ['a length below nought', `${json}Content-Length: -1\r\n`, smuggled],
  ['a length with a sign', `${json}Content-Length: +15\r\n`, `${brief}${smuggled}`],
  ['a length in hexadecimal', `${json}Content-Length: 0xf\r\n`, `${brief}${smuggled}`],
  ['a length with a fraction', `${json}Content-Length: 15.0\r\n`, `${brief}${smuggled}`],
  ['a length beyond numbers', `${json}Content-Length: 99999999999999999999\r\n`, brief],
  ['no length where one is named', `${json}Content-Length:\r\n`, `${brief}${smuggled}`],
  ['a length after a space', `${json}Content-Length : 15\r\n`, `${brief}${smuggled}`],
  ['a length on a folded line', `${json}Content-Length:\r\n 15\r\n`, `${brief}${smuggled}`],
  [
    'chunks that are not the last coding',
    `${json}Transfer-Encoding: chunked, identity\r\n`,
    `0\r\n\r\n${smuggled}`,
  ],
  [
    'a coding that looks like chunks',
    `${json}Transfer-Encoding: xchunked\r\n`,
    `0\r\n\r\n${smuggled}`,
  ],
  [
    'chunks after a tab that is none',
    `${json}Transfer-Encoding: \x0bchunked\r\n`,
    `0\r\n\r\n${smuggled}`,
  ],
  [
    'chunks on a folded line',
    `${json}X: x\r\n Transfer-Encoding: chunked\r\n`,
    `0\r\n\r\n${smuggled}`,
  ],
  [
    'chunks in a name with a space',
    `${json}Transfer-Encoding : chunked\r\n`,
    `0\r\n\r\n${smuggled}`,
  ],
  ['a chunk size that is no number', `${json}Transfer-Encoding: chunked\r\n`, `zz\r\n${smuggled}`],
  ['a chunk size below nought', `${json}Transfer-Encoding: chunked\r\n`, `-1\r\n${smuggled}`],
  [
    'a chunk size beyond numbers',
    `${json}Transfer-Encoding: chunked\r\n`,
    `fffffffffffffffff\r\n${smuggled}`,
  ],
  [
    'a chunk longer than it said',
    `${json}Transfer-Encoding: chunked\r\n`,
    `1\r\n{}\r\n0\r\n\r\n${smuggled}`,
  ],
  [
    'chunks parted by bare line ends',
    `${json}Transfer-Encoding: chunked\r\n`,
    `2\n{}\n0\n\n${smuggled}`,
  ],
  [
    'endless extensions of a chunk',
    `${json}Transfer-Encoding: chunked\r\n`,
    `2;${'x'.repeat(60_000)}\r\n{}\r\n0\r\n\r\n`,
  ],
]

const broken: [name: string, bytes: string][] = [
  ['words', 'HELLO\r\n\r\n'],
  ['TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'.padEnd(120, '\0')],
  ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ['HTTP/3.7', `GET / HTTP/3.7\r\n${close}\r\n`],
  ['no version', `GET /health \r\n${close}\r\n`],
  ['a method nobody knows', `BREW /health HTTP/1.1\r\n${close}\r\n`],
  ['a method in small letters', `get /health HTTP/1.1\r\n${close}\r\n`],
  ['no method', ` /health HTTP/1.1\r\n${close}\r\n`],
  ['a path without a slash', `GET health HTTP/1.1\r\n${close}\r\n`],
  ['a path with a backslash', `GET \\health HTTP/1.1\r\n${close}\r\n`],
  ['NUL in the path', `GET /hea\0lth HTTP/1.1\r\n${close}\r\n`],
  ['a space in a header name', `GET /health HTTP/1.1\r\n${close}a b: c\r\n\r\n`],
  ['a header without a name', `GET /health HTTP/1.1\r\n${close}: c\r\n\r\n`],
  ['a header without a colon', `GET /health HTTP/1.1\r\n${close}abc\r\n\r\n`],
  ['NUL in a header', `GET /health HTTP/1.1\r\n${close}a: b\0c\r\n\r\n`],
  ['a bare CR in a header', `GET /health HTTP/1.1\r\n${close}a: b\rc: d\r\n\r\n`],
  ['no Host', 'GET /health HTTP/1.1\r\nConnection: close\r\n\r\n'],
  ['two Hosts', `GET /health HTTP/1.1\r\n${close}Host: y\r\n\r\n`],
]

const paths: [path: string, status: number | number[]][] = [
  ['/%2e%2e/%2e%2e/etc/passwd', 404],
  ['/../../etc/passwd', 404],
  ['/api/v1/../../health', 404],
  ['/api/v1/%2e%2e/%2e%2e/metrics', 404],
  ['/api/v1/presentations/..', 404],
  ['/api/v1/presentations/%2e%2e', 404],
  ['/api/v1/presentations/{id}/../{id}', 404],
  ['/api/v1/presentations/{id}%2fevents', 404],
  ['/api/v1/presentations/{id}%5c..', 404],
  ['/api/v1/presentations/{id}%00', 404],
  ['/api/v1/presentations/%00', 404],
  ['/api/v1/presentations/{id};jsessionid=1', 404],
  ['/api/v1/presentations;x=y', 404],
  ['//api/v1/presentations', 404],
  ['/api//v1/presentations', 404],
  ['/api/v1/presentations/', 404],
  ['/api/v1/presentations//', 404],
  ['/api/v1/presentations/{id}/', 404],
  ['/API/V1/PRESENTATIONS', 404],
  ['/api/v1/presentations%20', 404],
  ['/api/v1%2fpresentations', 404],
  ['/static/../openapi.json', [401, 404]],
  ['/static/%2e%2e/%2e%2e/app_data/userConfig.json', [401, 404]],
  ['/app_data/images/%2e%2e/%2e%2e/exports/x.pptx', [401, 404]],
  ['/app_data/exports/x.pptx', 404],
  ['/docs/static/%2e%2e/%2e%2e/package.json', 404],
  ['/docs/static/..%2f..%2fpackage.json', 404],
  ['/docs/static/%00', 404],
  ['/%', 400],
  ['/%zz', 400],
  ['/%c0%ae%c0%ae/', 400],
  ['/%ff', 400],
  ['/api/v1/presentations/%ff', 400],
  [`/${'a/'.repeat(8_000)}`, 404],
  [`/api/v1/presentations/${'x'.repeat(20_000)}`, 404],
  [`/api/v1/presentations?${'a=b&'.repeat(6_000)}`, [200, 400]],
  [`/api/v1/presentations?limit=1${'&limit=1'.repeat(2_000)}`, 400],
  ['/api/v1/presentations?__proto__[status]=failed&constructor[prototype][x]=1', 200],
  ['/api/v1/presentations?limit[]=5', 200],
  ['/api/v1/presentations?limit=%00', 400],
  ['/api/v1/presentations?limit=1e1', 400],
  ['/api/v1/presentations?limit=0x5', 400],
  ['/api/v1/presentations?cursor=%ff%fe', 400],
  [`/api/v1/presentations?cursor=${'A'.repeat(10_000)}`, 400],
  ['http://evil.example/api/v1/nothing', 404],
  ['http://evil.example', 404],
  ['/nothing?x=<script>alert(1)</script>', 404],
]

const heads: [name: string, bytes: string, answers: MalformedRequest['answers']][] = [
  ['a head of 40 KB', get('/health', `X: ${'x'.repeat(40_000)}\r\n`), [431]],
  ['ten thousand headers', get('/health', 'X: y\r\n'.repeat(10_000)), [431]],
  [
    'a token of 40 KB',
    `GET /api/v1/presentations HTTP/1.1\r\n${close}Authorization: Bearer ${'x'.repeat(40_000)}\r\n\r\n`,
    [431],
  ],
  ['a path of 40 KB', get(`/${'x'.repeat(40_000)}`), [[400, 414, 431]]],
  [
    'a last id of 20 KB',
    get('/api/v1/presentations/{id}/events', `Last-Event-ID: ${'9'.repeat(20_000)}\r\n`),
    [400],
  ],
  [
    'a last id below nought',
    get('/api/v1/presentations/{id}/events', 'Last-Event-ID: -1\r\n'),
    [400],
  ],
  [
    'two last ids',
    get('/api/v1/presentations/{id}/events', 'Last-Event-ID: 1\r\nLast-Event-ID: 2\r\n'),
    [400],
  ],
  [
    'a last id that is a query',
    get('/api/v1/presentations/{id}/events?last_event_id=1;drop%20table'),
    [400],
  ],
  ['TRACE', `TRACE /api/v1/presentations HTTP/1.1\r\n${close}{auth}\r\n`, [405]],
  ['CONNECT', `CONNECT 169.254.169.254:80 HTTP/1.1\r\n${close}\r\n`, [405]],
  [
    'CONNECT and what should be tunnelled',
    `CONNECT x:80 HTTP/1.1\r\n${close}\r\n${smuggled}`,
    [405],
  ],
  ['PROPFIND', `PROPFIND / HTTP/1.1\r\n${close}\r\n`, [404]],
  ['OPTIONS of everything', `OPTIONS * HTTP/1.1\r\n${close}\r\n`, [404]],
  [
    'another method in a header',
    `POST /health HTTP/1.1\r\n${close}X-HTTP-Method-Override: GET\r\nContent-Length: 0\r\n\r\n`,
    [405],
  ],
  [
    'another path in a header',
    get('/nothing', 'X-Original-URL: /metrics\r\nX-Rewrite-URL: /metrics\r\n'),
    [404],
  ],
  [
    'an upgrade to h2c',
    get('/nothing', 'Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n'),
    [404],
  ],
  [
    'an upgrade to WebSocket',
    get('/nothing', 'Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n'),
    [404],
  ],
  ['an expectation nobody knows', get('/nothing', 'Expect: the-unexpected\r\n'), [404]],
  ['ranges', get('/nothing', `Range: bytes=${'0-1,'.repeat(2_000)}5-6\r\n`), [404]],
  [
    'a thousand cookies',
    get('/nothing', `Cookie: ${'gateway_session=x; '.repeat(1_000)}\r\n`),
    [404],
  ],
  ['HTTP/0.9', 'GET /nothing\r\n\r\n', [404]],
  ['two spaces in the first line', `GET  /nothing HTTP/1.1\r\n${close}\r\n`, [404]],
  ['HTTP/1.0 without a Host', 'GET /nothing HTTP/1.0\r\n\r\n', [404]],
  [
    'HTTP/1.0 with chunks',
    `POST /nothing HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`,
    [[400, 404]],
  ],
  [
    'four requests at once',
    `${'GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(3)}GET /nothing HTTP/1.1\r\n${close}\r\n`,
    [404, 404, 404, 404],
  ],
]

const bodies: [name: string, head: string, body: string, status: number][] = [
  ['compressed', `${json}Content-Encoding: gzip\r\n`, '\x1f\x8b\x08', 415],
  ['compressed, in capitals', `${json}Content-Encoding: GZIP\r\n`, brief, 415],
  ['compressed twice', `${json}Content-Encoding: gzip, br\r\n`, brief, 415],
  ['of another type', 'Content-Type: text/plain\r\n', brief, 415],
  ['of two types', `${json}Content-Type: text/plain\r\n`, '{"content":1}', 400],
  ['of no type', '', brief, 415],
  ['of a type that is none', 'Content-Type: ;;;\r\n', brief, 415],
  [
    'XML',
    'Content-Type: application/xml\r\n',
    '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>',
    415,
  ],
  ['in UTF-16', `${json}`, '\xff\xfe{\0}\0', 400],
  ['in no UTF-8', json, '{"content":"\xff"}', 400],
  ['deep', json, `{"content":${'['.repeat(50_000)}${']'.repeat(50_000)}}`, 400],
  ['deep in objects', json, `${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}`, 400],
  ['with a prototype', json, '{"content":"x","__proto__":{"isAdmin":true}}', 400],
  ['with a prototype within', json, '{"content":"x","metadata":{"__proto__":"x"}}', 400],
  [
    "with a constructor's prototype",
    json,
    '{"content":"x","constructor":{"prototype":{"x":1}}}',
    400,
  ],
  ['with an escaped prototype', json, '{"content":"x","\\u005f_proto__":{"x":1}}', 400],
  ['with a number of many digits', json, `{"content":"x","n_slides":${'9'.repeat(50_000)}}`, 400],
  ['a list of briefs', json, `[${brief},${brief}]`, 400],
  ['after a byte order mark', json, '\xef\xbb\xbf[]', 400],
]

export const malformedRequests: MalformedRequest[] = [
  ...framing.map(
    ([name, head, body = '']): MalformedRequest => ({
      name: `framing: ${name}`,
      bytes: post(head, body),
      answers: [[400, 413]],
    }),
  ),
  ...broken.map(
    ([name, bytes]): MalformedRequest => ({ name: `no HTTP: ${name}`, bytes, answers: [400] }),
  ),
  ...paths.map(
    ([path, status]): MalformedRequest => ({
      name: `path: ${path.slice(0, 60)}`,
      bytes: get(path),
      answers: [status],
    }),
  ),
  ...heads.map(
    ([name, bytes, answers]): MalformedRequest => ({ name: `head: ${name}`, bytes, answers }),
  ),
  ...bodies.map(
    ([name, head, body, status]): MalformedRequest => ({
      name: `body: ${name}`,
      bytes: post(`Connection: close\r\n${head}Content-Length: ${body.length}\r\n`, body),
      answers: [status],
    }),
  ),
]
