// Malformed and hostile requests, byte for byte: broken framing, request smuggling, odd paths and
// methods, oversized headers and invalid bodies. Each names the expected response statuses.

export interface MalformedRequest {
  name: string
  /** `{auth}` becomes a valid Authorization header line, `{id}` a presentation of that user. */
  bytes: string
  /** Expected statuses, one for each response on the connection; a list where several are right. */
  statuses: (number | number[])[]
}

const close = 'Host: x\r\nConnection: close\r\n'
const json = 'Content-Type: application/json\r\n'
const brief = '{"content":"x"}'
const post = (headers: string, body = '') =>
  `POST /api/v1/presentations HTTP/1.1\r\nHost: x\r\n{auth}${headers}\r\n${body}`
const get = (path: string, headers = '') => `GET ${path} HTTP/1.1\r\n${close}{auth}${headers}\r\n`
const getEvents = (query: string, headers = '') =>
  get(`/api/v1/presentations/{id}/events${query}`, headers)
/** A front server takes it for a body, a careless server behind it for the next request. */
const smuggled = `GET /api/v1/smuggled HTTP/1.1\r\nHost: x\r\n\r\n`

const contentLength = (value: string) => `${json}Content-Length:${value}\r\n`
const transferEncoding = (value: string) => `${json}Transfer-Encoding:${value}\r\n`
const chunked = transferEncoding(' chunked')
const briefThenSmuggled = `${brief}${smuggled}`
const emptyThenSmuggled = `0\r\n\r\n${smuggled}`
const framing: [name: string, headers: string, body?: string][] = [
  ['length and chunked', `${contentLength(' 6')}Transfer-Encoding: chunked\r\n`, emptyThenSmuggled],
  ['chunked and length', `${chunked}Content-Length: 6\r\n`, emptyThenSmuggled],
  ['two lengths', `${contentLength(' 15')}Content-Length: 0\r\n`, briefThenSmuggled],
  ['the same length twice', `${contentLength(' 15')}Content-Length: 15\r\n`, briefThenSmuggled],
  ['a list of lengths', contentLength(' 15, 15'), briefThenSmuggled],
  ['a negative length', contentLength(' -1'), smuggled],
  ['a length with a sign', contentLength(' +15'), briefThenSmuggled],
  ['a hexadecimal length', contentLength(' 0xf'), briefThenSmuggled],
  ['a fractional length', contentLength(' 15.0'), briefThenSmuggled],
  ['a length above the largest integer', contentLength(' 99999999999999999999'), brief],
  ['an empty length', contentLength(''), briefThenSmuggled],
  ['a space before the colon of a length', `${json}Content-Length : 15\r\n`, briefThenSmuggled],
  ['a length on a folded line', contentLength('\r\n 15'), briefThenSmuggled],
  ['chunked before another coding', transferEncoding(' chunked, identity'), emptyThenSmuggled],
  ['a coding with a name like chunked', transferEncoding(' xchunked'), emptyThenSmuggled],
  ['a vertical tab before chunked', transferEncoding(' \x0bchunked'), emptyThenSmuggled],
  ['chunked on a folded line', `${json}X: x\r\n Transfer-Encoding: chunked\r\n`, emptyThenSmuggled],
  [
    'a space before the colon of a coding',
    `${json}Transfer-Encoding : chunked\r\n`,
    emptyThenSmuggled,
  ],
  ['a chunk size that is not a number', chunked, `zz\r\n${smuggled}`],
  ['a negative chunk size', chunked, `-1\r\n${smuggled}`],
  ['a chunk size above the largest integer', chunked, `fffffffffffffffff\r\n${smuggled}`],
  ['a chunk longer than its size', chunked, `1\r\n{}\r\n0\r\n\r\n${smuggled}`],
  ['chunks separated by bare LF', chunked, `2\n{}\n0\n\n${smuggled}`],
  ['a chunk extension of 60 KB', chunked, `2;${'x'.repeat(60_000)}\r\n{}\r\n0\r\n\r\n`],
]

const notHttp: [name: string, bytes: string][] = [
  ['plain text', 'HELLO\r\n\r\n'],
  ['TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'.padEnd(120, '\0')],
  ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ['HTTP/3.7', `GET / HTTP/3.7\r\n${close}\r\n`],
  ['a request line without version', `GET /health \r\n${close}\r\n`],
  ['an unknown method', `BREW /health HTTP/1.1\r\n${close}\r\n`],
  ['a method in lower case', `get /health HTTP/1.1\r\n${close}\r\n`],
  ['a request line without method', ` /health HTTP/1.1\r\n${close}\r\n`],
  ['a path without a slash', `GET health HTTP/1.1\r\n${close}\r\n`],
  ['a path with a backslash', `GET \\health HTTP/1.1\r\n${close}\r\n`],
  ['NUL in the path', `GET /hea\0lth HTTP/1.1\r\n${close}\r\n`],
  ['a space in a header name', `GET /health HTTP/1.1\r\n${close}a b: c\r\n\r\n`],
  ['a header without a name', `GET /health HTTP/1.1\r\n${close}: c\r\n\r\n`],
  ['a header without a colon', `GET /health HTTP/1.1\r\n${close}abc\r\n\r\n`],
  ['NUL in a header', `GET /health HTTP/1.1\r\n${close}a: b\0c\r\n\r\n`],
  ['a bare CR in a header', `GET /health HTTP/1.1\r\n${close}a: b\rc: d\r\n\r\n`],
  ['no Host header', 'GET /health HTTP/1.1\r\nConnection: close\r\n\r\n'],
  ['two Host headers', `GET /health HTTP/1.1\r\n${close}Host: y\r\n\r\n`],
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
  ['http://evil.example/nothing', 404],
  ['/nothing?x=<script>alert(1)</script>', 404],
]

const requestLinesAndHeaders: [
  name: string,
  bytes: string,
  statuses: MalformedRequest['statuses'],
][] = [
  ['a header of 40 KB', get('/health', `X: ${'x'.repeat(40_000)}\r\n`), [431]],
  ['ten thousand headers', get('/health', 'X: y\r\n'.repeat(10_000)), [431]],
  [
    'a token of 40 KB',
    `GET /api/v1/presentations HTTP/1.1\r\n${close}Authorization: Bearer ${'x'.repeat(40_000)}\r\n\r\n`,
    [431],
  ],
  ['a path of 40 KB', get(`/${'x'.repeat(40_000)}`), [[400, 414, 431]]],
  ['a Last-Event-ID of 20 KB', getEvents('', `Last-Event-ID: ${'9'.repeat(20_000)}\r\n`), [400]],
  ['a negative Last-Event-ID', getEvents('', 'Last-Event-ID: -1\r\n'), [400]],
  ['two Last-Event-IDs', getEvents('', 'Last-Event-ID: 1\r\nLast-Event-ID: 2\r\n'), [400]],
  ['SQL in last_event_id', getEvents('?last_event_id=1;drop%20table'), [400]],
  ['TRACE', `TRACE /api/v1/presentations HTTP/1.1\r\n${close}{auth}\r\n`, [405]],
  ['CONNECT', `CONNECT 169.254.169.254:80 HTTP/1.1\r\n${close}\r\n`, [405]],
  ['CONNECT with data for the tunnel', `CONNECT x:80 HTTP/1.1\r\n${close}\r\n${smuggled}`, [405]],
  ['PROPFIND', `PROPFIND /nothing HTTP/1.1\r\n${close}\r\n`, [404]],
  ['OPTIONS *', `OPTIONS * HTTP/1.1\r\n${close}\r\n`, [404]],
  [
    'a method override header',
    `POST /health HTTP/1.1\r\n${close}X-HTTP-Method-Override: GET\r\nContent-Length: 0\r\n\r\n`,
    [405],
  ],
  [
    'path override headers',
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
  ['an unknown expectation', get('/nothing', 'Expect: the-unexpected\r\n'), [404]],
  ['two thousand ranges', get('/nothing', `Range: bytes=${'0-1,'.repeat(2_000)}5-6\r\n`), [404]],
  [
    'a thousand cookies',
    get('/nothing', `Cookie: ${'gateway_session=x; '.repeat(1_000)}\r\n`),
    [404],
  ],
  ['HTTP/0.9', 'GET /nothing\r\n\r\n', [404]],
  ['two spaces in the request line', `GET  /nothing HTTP/1.1\r\n${close}\r\n`, [404]],
  ['HTTP/1.0 without a Host', 'GET /nothing HTTP/1.0\r\n\r\n', [404]],
  [
    'HTTP/1.0 with a chunked body',
    `POST /nothing HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`,
    [[400, 404]],
  ],
  [
    'four pipelined requests',
    `${'GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(3)}GET /nothing HTTP/1.1\r\n${close}\r\n`,
    [404, 404, 404, 404],
  ],
]

const bodies: [name: string, headers: string, body: string, status: number][] = [
  ['compressed', `${json}Content-Encoding: gzip\r\n`, '\x1f\x8b\x08', 415],
  ['compressed, with the coding in capitals', `${json}Content-Encoding: GZIP\r\n`, brief, 415],
  ['compressed twice', `${json}Content-Encoding: gzip, br\r\n`, brief, 415],
  ['of type text/plain', 'Content-Type: text/plain\r\n', brief, 415],
  ['with two content types', `${json}Content-Type: text/plain\r\n`, '{"content":1}', 400],
  ['without a content type', '', brief, 415],
  ['with a malformed content type', 'Content-Type: ;;;\r\n', brief, 415],
  [
    'XML',
    'Content-Type: application/xml\r\n',
    '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>',
    415,
  ],
  ['in UTF-16', json, '\xff\xfe{\0}\0', 400],
  ['with invalid UTF-8', json, '{"content":"\xff"}', 400],
  [
    'with deeply nested arrays',
    json,
    `{"content":${'['.repeat(50_000)}${']'.repeat(50_000)}}`,
    400,
  ],
  ['with deeply nested objects', json, `${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}`, 400],
  ['with a __proto__ key', json, '{"content":"x","__proto__":{"isAdmin":true}}', 400],
  ['with a nested __proto__ key', json, '{"content":"x","metadata":{"__proto__":"x"}}', 400],
  [
    'with a constructor.prototype key',
    json,
    '{"content":"x","constructor":{"prototype":{"x":1}}}',
    400,
  ],
  ['with an escaped __proto__ key', json, '{"content":"x","\\u005f_proto__":{"x":1}}', 400],
  ['with a number of 50,000 digits', json, `{"content":"x","n_slides":${'9'.repeat(50_000)}}`, 400],
  ['a list of briefs', json, `[${brief},${brief}]`, 400],
  ['with a byte order mark', json, '\xef\xbb\xbf[]', 400],
]

const named = (
  name: string,
  bytes: string,
  statuses: MalformedRequest['statuses'],
): MalformedRequest => ({ name, bytes, statuses })

export const malformedRequests = [
  ...framing.map(([name, lines, body]) =>
    named(`framing: ${name}`, post(lines, body), [[400, 413]]),
  ),
  ...notHttp.map(([name, bytes]) => named(`not HTTP: ${name}`, bytes, [400])),
  ...paths.map(([path, status]) => named(`path: ${path.slice(0, 60)}`, get(path), [status])),
  ...requestLinesAndHeaders.map(([name, ...rest]) => named(`head: ${name}`, ...rest)),
  ...bodies.map(([name, lines, body, status]) => {
    const length = `Content-Length: ${body.length}\r\n`
    return named(`body: ${name}`, post(`Connection: close\r\n${lines}${length}`, body), [status])
  }),
]
