// Attacks with credentials that are good, but not the attacker's: a browser that is lured into
// using its cookie, a token in the wrong place, a request that says one thing twice. None of them
// may do or tell anything.

export interface MisuseCase {
  name: string
  method?: string
  /** Below /api/v1; `{id}` is the victim's presentation. */
  path: string
  headers?: (victim: {
    token: string
    cookie: string
  }) => Record<string, string> | [string, string][]
  body?: string
  status: number
}

const form = 'application/x-www-form-urlencoded'
const brief = '{"content":"Written by another page."}'

/**
 * What pages elsewhere can make a browser send, cookie included. Each once as a page of another
 * site, and by other means.
 */
const lured: [name: string, method: string, path: string, type?: string, body?: string][] = [
  ['a form', 'POST', '/presentations', form, 'content=x'],
  ['a form that spells JSON', 'POST', '/presentations', 'text/plain', brief],
  ['a form with a file', 'POST', '/presentations', 'multipart/form-data; boundary=x', '--x--'],
  ['a script', 'POST', '/presentations', 'application/json', brief],
  ['a cancel', 'POST', '/presentations/{id}/cancel'],
  ['a retry', 'POST', '/presentations/{id}/retry'],
  ['a ticket', 'POST', '/presentations/{id}/ticket'],
  ['an export', 'POST', '/presentations/{id}/exports', 'application/json', '{"format":"pdf"}'],
  ['a new title', 'PATCH', '/presentations/{id}', 'application/json', '{"title":"x"}'],
  ['other outlines', 'PUT', '/presentations/{id}/outlines', 'application/json', '{}'],
  ['a deletion', 'DELETE', '/presentations/{id}'],
  ['the end of a session', 'DELETE', '/session'],
]

const origins: [name: string, headers: Record<string, string>][] = [
  ['another site', { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' }],
  [
    'another site that claims to be the same',
    { origin: 'https://evil.example', 'sec-fetch-site': 'same-origin' },
  ],
  ['a sandboxed frame', { origin: 'null', 'sec-fetch-site': 'cross-site' }],
  ['a sibling domain', { origin: 'https://other.decks.example', 'sec-fetch-site': 'same-site' }],
  ['our host without encryption', { origin: 'http://decks.example' }],
  ['our host at another port', { origin: 'https://decks.example:8443' }],
  ['a name that begins like ours', { origin: 'https://decks.example.evil.example' }],
  ['a name that ends like an allowed one', { origin: 'https://evilapp.example' }],
  ['two origins at once', { origin: 'https://decks.example https://evil.example' }],
  [
    'a rebound name',
    { host: 'evil.example', origin: 'http://evil.example', 'sec-fetch-site': 'same-origin' },
  ],
  ['a page of which nothing is said', {}],
  ['a page elsewhere of an old browser', { referer: 'https://decks.example/' }],
  ['a link', { 'sec-fetch-site': 'none' }],
]

/**
 * All places against all deeds would be many; each place tries two, each deed is tried from one.
 */
const luredCases: MisuseCase[] = [
  ...lured.map((deed, i) => ({ deed, from: origins[i % origins.length] })),
  ...origins.map((from, i) => ({ deed: lured[(i * 5 + 3) % lured.length], from })),
].flatMap(({ deed, from }) => {
  if (!deed || !from) return []
  const [name, method, path, type, body] = deed
  return {
    ...{ name: `${name} from ${from[0]}`, method, path, status: 403 },
    headers: ({ cookie }) => ({ ...from[1], cookie, ...(type && { 'content-type': type }) }),
    ...(body !== undefined && { body }),
  }
})

export const misusedCredentials: MisuseCase[] = [
  ...luredCases,
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
      name: `a good cookie beside the header "${authorization}"`,
      path: '/presentations',
      headers: ({ cookie }) => ({ cookie, authorization }),
      status: 401,
    }),
  ),
  ...['access_token', 'token', 'jwt', 'id_token', 'Authorization', 'x'].map(
    (name): MisuseCase => ({
      name: `the token in the query as ${name}`,
      path: `/presentations?${name}={token}`,
      status: 401,
    }),
  ),
  { name: 'the token as a ticket', path: '/presentations/{id}/events?ticket={token}', status: 401 },
  { name: 'the token in the path', path: '/presentations/{token}', status: 401 },
  {
    name: 'the token in a body',
    method: 'POST',
    path: '/presentations',
    headers: () => ({ 'content-type': form }),
    body: 'access_token={token}',
    status: 401,
  },
  ...['x-access-token', 'x-auth-token', 'proxy-authorization', 'x-forwarded-user', 'x-user-id'].map(
    (name): MisuseCase => ({
      name: `the token in ${name}`,
      path: '/presentations',
      headers: ({ token }) => ({ [name]: `Bearer ${token}` }),
      status: 401,
    }),
  ),
  {
    name: 'a good header, then a bad one',
    path: '/presentations',
    headers: ({ token }) => [
      ['authorization', `Bearer ${token}`],
      ['authorization', 'Bearer x'],
    ],
    status: 401,
  },
  {
    name: 'the same header twice',
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
    name: 'a planted cookie before the real one',
    path: '/presentations',
    headers: ({ cookie }) => ({ cookie: `gateway_session=x.y.z; ${cookie}` }),
    status: 401,
  },
  {
    name: 'a cookie of another case',
    path: '/presentations',
    headers: ({ cookie }) => ({ cookie: cookie.replace('gateway', 'Gateway') }),
    status: 401,
  },
  {
    name: 'a cookie within another',
    path: '/presentations',
    headers: ({ cookie }) => ({ cookie: `other="${cookie}"` }),
    status: 401,
  },
  {
    name: 'a session made from a session',
    method: 'POST',
    path: '/session',
    headers: ({ cookie }) => ({ cookie, origin: 'https://decks.example' }),
    status: 401,
  },
]
