// Attacks with valid credentials of another user: cross-site requests that carry the cookie, tokens
// in the wrong place, and ambiguous requests. All are refused without any effect.

export interface MisuseCase {
  name: string
  method?: string
  /**
   * Below /api/v1. In path and body, `{id}` is the victim's presentation, `{token}` their token.
   */
  path: string
  headers?: (victim: {
    token: string
    cookie: string
  }) => Record<string, string> | [string, string][]
  body?: string
  status: number
}

const formType = 'application/x-www-form-urlencoded'
const brief = '{"content":"Written by another page."}'

/** Requests that a page of another origin can make a browser send with its cookies. */
const forgedRequests: [
  name: string,
  method: string,
  path: string,
  contentType?: string,
  body?: string,
][] = [
  ['form', 'POST', '/presentations', formType, 'content=x'],
  ['form with JSON as text', 'POST', '/presentations', 'text/plain', brief],
  ['form with a file', 'POST', '/presentations', 'multipart/form-data; boundary=x', '--x--'],
  ['script', 'POST', '/presentations', 'application/json', brief],
  ['cancel', 'POST', '/presentations/{id}/cancel'],
  ['retry', 'POST', '/presentations/{id}/retry'],
  ['ticket', 'POST', '/presentations/{id}/ticket'],
  ['export', 'POST', '/presentations/{id}/exports', 'application/json', '{"format":"pdf"}'],
  ['rename', 'PATCH', '/presentations/{id}', 'application/json', '{"title":"x"}'],
  ['approval of outlines', 'PUT', '/presentations/{id}/outlines', 'application/json', '{}'],
  ['delete', 'DELETE', '/presentations/{id}'],
  ['sign-out', 'DELETE', '/session'],
]

const untrustedOrigins: [name: string, headers: Record<string, string>][] = [
  ['another site', { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' }],
  [
    'another site that claims to be the same site',
    { origin: 'https://evil.example', 'sec-fetch-site': 'same-origin' },
  ],
  ['a sandboxed frame', { origin: 'null', 'sec-fetch-site': 'cross-site' }],
  ['a sibling domain', { origin: 'https://other.decks.example', 'sec-fetch-site': 'same-site' }],
  ['our host over http', { origin: 'http://decks.example' }],
  ['our host with another port', { origin: 'https://decks.example:8443' }],
  ['a host that starts like ours', { origin: 'https://decks.example.evil.example' }],
  ['a host that ends like an allowed one', { origin: 'https://evilapp.example' }],
  ['two origins in one header', { origin: 'https://decks.example https://evil.example' }],
  [
    'a host after DNS rebinding',
    { host: 'evil.example', origin: 'http://evil.example', 'sec-fetch-site': 'same-origin' },
  ],
  ['a page without any origin headers', {}],
  ['an old browser with a referer only', { referer: 'https://decks.example/' }],
  ['a link', { 'sec-fetch-site': 'none' }],
]

/**
 * Each request comes from one origin and each origin sends two requests: all pairs would be many.
 */
const crossSiteCases: MisuseCase[] = [
  ...forgedRequests.map((request, i) => ({
    request,
    origin: untrustedOrigins[i % untrustedOrigins.length],
  })),
  ...untrustedOrigins.map((origin, i) => ({
    request: forgedRequests[(i * 5 + 3) % forgedRequests.length],
    origin,
  })),
].flatMap(({ request, origin }): MisuseCase[] => {
  if (!request || !origin) return []
  const [name, method, path, contentType, body] = request
  const [originName, originHeaders] = origin
  return [
    {
      name: `${name} from ${originName}`,
      method,
      path,
      status: 403,
      headers: ({ cookie }) => ({
        ...originHeaders,
        cookie,
        ...(contentType && { 'content-type': contentType }),
      }),
      ...(body !== undefined && { body }),
    },
  ]
})

export const misusedCredentials: MisuseCase[] = [
  ...crossSiteCases,
  ...[
    '',
    'Bearer',
    'Bearer ',
    'Bearer x.y.z',
    'Basic dmljdGltOng=',
    'Digest username="victim"',
    'bearer\tx',
  ].map(
    (authorization): MisuseCase => ({
      name: `a valid cookie with the Authorization header "${authorization}"`,
      path: '/presentations',
      headers: ({ cookie }) => ({ cookie, authorization }),
      status: 401,
    }),
  ),
  ...['access_token', 'token', 'jwt', 'id_token', 'Authorization', 'x'].map(
    (name): MisuseCase => ({
      name: `the token as query parameter ${name}`,
      path: `/presentations?${name}={token}`,
      status: 401,
    }),
  ),
  { name: 'the token as ticket', path: '/presentations/{id}/events?ticket={token}', status: 401 },
  { name: 'the token in the path', path: '/presentations/{token}', status: 401 },
  {
    name: 'the token in the body',
    method: 'POST',
    path: '/presentations',
    headers: () => ({ 'content-type': formType }),
    body: 'access_token={token}',
    status: 401,
  },
  ...['x-access-token', 'x-auth-token', 'proxy-authorization', 'x-forwarded-user', 'x-user-id'].map(
    (name): MisuseCase => ({
      name: `the token in the header ${name}`,
      path: '/presentations',
      headers: ({ token }) => ({ [name]: `Bearer ${token}` }),
      status: 401,
    }),
  ),
  {
    name: 'a valid Authorization header followed by an invalid one',
    path: '/presentations',
    headers: ({ token }) => [
      ['authorization', `Bearer ${token}`],
      ['authorization', 'Bearer x'],
    ],
    status: 401,
  },
  {
    name: 'the same Authorization header twice',
    path: '/presentations',
    headers: ({ token }) => [
      ['authorization', `Bearer ${token}`],
      ['Authorization', `Bearer ${token}`],
    ],
    status: 401,
  },
  {
    name: 'two tokens in one header',
    path: '/presentations',
    headers: ({ token }) => ({ authorization: `Bearer ${token}, Bearer ${token}` }),
    status: 401,
  },
  {
    name: 'an injected session cookie before the real one',
    path: '/presentations',
    headers: ({ cookie }) => ({ cookie: `__Host-gateway_session=x.y.z; ${cookie}` }),
    status: 401,
  },
  {
    name: 'a cookie name in another case',
    path: '/presentations',
    headers: ({ cookie }) => ({ cookie: cookie.replace('gateway', 'Gateway') }),
    status: 401,
  },
  {
    name: 'the session cookie inside the value of another cookie',
    path: '/presentations',
    headers: ({ cookie }) => ({ cookie: `other="${cookie}"` }),
    status: 401,
  },
  {
    name: 'a session created with a session cookie',
    method: 'POST',
    path: '/session',
    headers: ({ cookie }) => ({ cookie, origin: 'https://decks.example' }),
    status: 401,
  },
]
