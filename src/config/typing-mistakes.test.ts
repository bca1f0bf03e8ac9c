// Values as env files, shells and copying leave them, and names with typing mistakes.

import { generateKeyPairSync } from 'node:crypto'
import { expect, it } from 'vitest'
import { readConfig } from './config.ts'

const { AUTH_JWT_SECRET, ...withoutKey } = {
  DATABASE_URL: 'postgres://gateway:pw@db/gateway',
  PRESENTON_URL: 'http://presenton',
  MINIO_ENDPOINT: 'http://minio:9000',
  MINIO_ACCESS_KEY: 'access',
  MINIO_SECRET_KEY: 'secret-key',
  AUTH_JWT_SECRET: 's'.repeat(32),
}
const required = { ...withoutKey, AUTH_JWT_SECRET }
const read = (env: Record<string, string>) => readConfig({ ...required, ...env })

/** The message for an invalid configuration; '' for a valid one. */
function messageFor(env: Record<string, string>, base: Record<string, string> = required): string {
  try {
    readConfig({ ...base, ...env })
    return ''
  } catch (error) {
    return (error as Error).message
  }
}

it.each([
  ['spaces', (value: string) => `  ${value} `],
  ['double quotes', (value: string) => `"${value}"`],
  ['single quotes', (value: string) => `'${value}'`],
  ['a carriage return', (value: string) => `${value}\r`],
  ['a line end', (value: string) => `${value}\n`],
  ['quotes and a carriage return', (value: string) => `"${value}"\r`],
  ['spaces within quotes', (value: string) => `" ${value} "`],
  ['a byte order mark', (value: string) => `\ufeff${value}`],
])('removes %s around values', (_what, wrap) => {
  const values = {
    HOST: '127.0.0.1',
    PORT: '8080',
    PUBLIC_URL: 'https://slides.example',
    LOG_LEVEL: 'warn',
    TRUST_PROXY: '10.0.0.0/8',
    CORS_ORIGINS: 'https://a.example,https://b.example',
    DATABASE_URL: required.DATABASE_URL,
    MIGRATE_ON_START: 'false',
    PRESENTON_URL: 'http://presenton',
    PRESENTON_DEFAULT_TEMPLATE: 'modern',
    PRESENTON_API_KEY: 'sk-presenton-1',
    MINIO_ACCESS_KEY: 'key',
    MINIO_BUCKET: 'decks',
    AUTH_ISSUER: 'https://login.example/',
    AUTH_AUDIENCE: 'slides',
    LEASE_SECONDS: '20',
    HTTPS_PROXY: 'http://proxy:3128',
  }
  const wrapped = Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, wrap(value)]),
  )
  expect(read(wrapped)).toEqual(read(values))
})

it('takes a value of spaces, or empty quotes, for one that is not set', () => {
  for (const empty of [' ', '""', "''", '\r', '" "'])
    expect(read({ AUTH_AUDIENCE: empty, PORT: empty, CORS_ORIGINS: empty })).toEqual(read({}))
  expect(messageFor({ PRESENTON_URL: ' ' })).toContain('PRESENTON_URL is required')
})

it('takes secrets as they are, and warns of spaces and quotes around them', () => {
  const secrets = {
    AUTH_JWT_SECRET: `"${AUTH_JWT_SECRET}"`,
    MINIO_SECRET_KEY: "'secret-key'",
    PRESENTON_PASSWORD: ' pass word ',
    PRESENTON_USERNAME: 'name',
  }
  const config = read(secrets)
  expect(config.auth.keySources).toEqual([{ kind: 'secret', secret: secrets.AUTH_JWT_SECRET }])
  expect(config.objects.secretKey).toBe(secrets.MINIO_SECRET_KEY)
  expect(config.presenton.password).toBe(secrets.PRESENTON_PASSWORD)
  const named = config.warnings.map((warning) => warning.split(' ')[0])
  expect(named).toEqual(['PRESENTON_PASSWORD', 'MINIO_SECRET_KEY', 'AUTH_JWT_SECRET'])
  expect(config.warnings.join()).not.toMatch(/ssss|secret-key|pass word/)
})

/** As in an env file whose reader replaces nothing. */
const reference = (name: string) => `$\{${name}}`

it.each([
  ['PORT', '"80', 'whole number'],
  ['PORT', ':3000', 'whole number'],
  ['PORT', 'tcp://10.0.0.1:3000', 'whole number'],
  ['PORT', '3000 # comment', 'whole number'],
  ['HOST', 'http://0.0.0.0', 'without a scheme'],
  ['HOST', '0.0.0.0:3000', 'without a scheme'],
  ['LEASE_SECONDS', '15s', 'without a unit'],
  ['RUN_TIMEOUT_SECONDS', '1h', 'without a unit'],
  ['MAX_CONTENT_CHARS', '100_000', 'digits only'],
  ['MAX_CONTENT_CHARS', '100,000', 'digits only'],
  ['QUOTA_PER_HOUR', '10.0', 'digits only'],
  ['WORKER', 'True', 'true or false'],
  ['WORKER', 'yes', 'true or false'],
  ['MIGRATE_ON_START', 'on', 'true or false'],
  ['MIGRATE_ON_START', '0', 'true or false'],
  ['LOG_LEVEL', 'WARNING', 'one of'],
  ['TRUST_PROXY', 'True', 'number of hops'],
  ['TRUST_PROXY', 'yes', 'number of hops'],
  ['TRUST_PROXY', '10.0.0.0/255.0.0.0', 'number of hops'],
  ['TRUST_PROXY', 'proxy', 'number of hops'],
  ['TRUST_PROXY', 'fe80::1%eth0', 'number of hops'],
  ['TRUST_PROXY', ',', 'at least one entry'],
  ['CORS_ORIGINS', '*', 'must be origins'],
  ['CORS_ORIGINS', 'https://*.example.com', 'host name'],
  ['CORS_ORIGINS', 'https://a.example/app', 'origin'],
  ['CORS_ORIGINS', 'https://a.example;https://b.example', 'host name'],
  ['CORS_ORIGINS', 'https://a.example https://b.example', 'URL'],
  ['CORS_ORIGINS', 'a.example', 'with its scheme'],
  ['CORS_ORIGINS', '["https://a.example"]', 'URL'],
  ['CORS_ORIGINS', ' , ', 'at least one entry'],
  ['SLIDE_IMAGE_HOSTS', 'https://images.example', 'host names'],
  ['SLIDE_IMAGE_HOSTS', 'images.example/x', 'host names'],
  ['SLIDE_IMAGE_HOSTS', '*.example', 'host names'],
  ['SLIDE_IMAGE_HOSTS', 'a@images.example', 'host names'],
  ['CORS_HEADERS', '*', 'names of HTTP headers'],
  ['CORS_HEADERS', 'x-a x-b', 'names of HTTP headers'],
  ['PRESENTON_URL', 'presenton', 'with its scheme'],
  ['PRESENTON_URL', 'presenton:80', 'with its scheme'],
  ['PRESENTON_URL', 'http://http://presenton', 'host name'],
  ['PRESENTON_URL', reference('PRESENTON_HOST'), 'reference'],
  ['MINIO_ENDPOINT', 'minio:9000', 'with its scheme'],
  ['MINIO_ENDPOINT', `http://${reference('MINIO_HOST')}:9000`, 'host name'],
  ['MINIO_BUCKET', 's3://decks', 'bucket name'],
  ['AUTH_AUDIENCE', ',', 'at least one entry'],
  ['AUTH_AUDIENCE', 'slides,"api', 'quote'],
  ['AUTH_ISSUER', '"https://login.example', 'quote'],
  ['AUTH_ISSUER', '“https://login.example”', 'quote'],
  ['AUTH_ISSUER', 'https://login.example\u200b', 'invisible'],
  ['AUTH_ISSUER', reference('AUTH_ISSUER'), 'reference'],
  ['AUTH_ISSUER', 'https://login.example/.well-known/openid-configuration', 'discovery document'],
  ['AUTH_JWT_SECRET', reference('A_VARIABLE_WITH_A_NAME_THAT_IS_LONG'), 'reference'],
  ['HTTPS_PROXY', 'socks5://proxy:1080', 'proxy'],
  ['HTTP_PROXY', 'http://name:%zz@proxy', 'proxy'],
  ['HTTP_PROXY', 'http://', 'proxy'],
])('rejects %s=%s', (name, value, reason) => {
  const message = messageFor({ [name]: value })
  expect(message).toContain(`- ${name} `)
  expect(message).toContain(reason)
  if (value.length > 3) expect(message.replaceAll(name, '')).not.toContain(value)
})

it.each([
  'https://login.example/.well-known/openid-configuration',
  'https://login.example/realms/a/.well-known/openid-configuration/',
  'https://login.example/.well-known/oauth-authorization-server',
  'login.example/keys',
])('rejects AUTH_JWKS_URL=%s', (url) => {
  expect(messageFor({ AUTH_JWKS_URL: url }, withoutKey)).toMatch(/- AUTH_JWKS_URL must be/)
})

it('accepts lists with extra commas, slashes and quotes', () => {
  const { corsOrigins, trustProxy, auth } = read({
    CORS_ORIGINS: 'https://a.example/,,"https://b.example" ,',
    TRUST_PROXY: '10.0.0.0/8, ::1,',
    AUTH_AUDIENCE: ' slides ,"api",',
    HOST: '[::1]',
  })
  expect(corsOrigins).toEqual(['https://a.example', 'https://b.example'])
  expect(trustProxy).toEqual(['10.0.0.0/8', '::1'])
  expect(auth.audience).toEqual(['slides', 'api'])
  expect(read({ HOST: '[::1]' }).host).toBe('::1')
})

const pem = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const publicPem = pem.publicKey.export({ type: 'spki', format: 'pem' }).toString().trim()
const privatePem = pem.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()

it.each([
  ['with CRLF', publicPem.replaceAll('\n', '\r\n')],
  ['with escaped CRLF', publicPem.replaceAll('\n', '\\r\\n')],
  ['with escaped line ends in quotes', `"${publicPem.replaceAll('\n', '\\n')}\\n"`],
  ['with spaces for line ends', publicPem.replaceAll('\n', ' ')],
  ['indented', publicPem.replaceAll('\n', '\n    ')],
  ['as base64', Buffer.from(publicPem).toString('base64')],
  ['as wrapped base64', Buffer.from(publicPem).toString('base64').replace(/.{76}/g, '$&\n')],
  ['as the base64 of its content', publicPem.split('\n').slice(1, -1).join('')],
])('reads a public key %s', (_form, value) => {
  const { auth } = readConfig({ ...withoutKey, AUTH_JWT_PUBLIC_KEY: value })
  expect(auth.keySources).toEqual([{ kind: 'public-key', pem: publicPem }])
})

it.each([
  ['a path', '/run/secrets/key.pem'],
  ['base64 of a private key', Buffer.from(privatePem).toString('base64')],
  ['the content of a private key', privatePem.split('\n').slice(1, -2).join('')],
  ['a certificate', publicPem.replaceAll('PUBLIC KEY', 'CERTIFICATE')],
  ['PKCS #1', publicPem.replaceAll('PUBLIC KEY', 'RSA PUBLIC KEY')],
  ['a JWK', JSON.stringify(pem.publicKey.export({ format: 'jwk' }))],
])('rejects %s as a public key', (_what, value) => {
  expect(messageFor({ AUTH_JWT_PUBLIC_KEY: value }, withoutKey)).toContain('- AUTH_JWT_PUBLIC_KEY ')
})

it.each([
  ['AUTH_JWK_URL', 'AUTH_JWKS_URL'],
  ['AUTH_JWKS_URI', 'AUTH_JWKS_URL'],
  ['AUTH_JWKS', 'AUTH_JWKS_URL'],
  ['AUTH_AUDIENCES', 'AUTH_AUDIENCE'],
  ['AUTH_JWT_ISSUER', 'AUTH_ISSUER'],
  ['MINIO_BUCKETS', 'MINIO_BUCKET'],
  ['MINIO_BUCKET_NAME', 'MINIO_BUCKET'],
  ['MINIO_PUBLIC_ENDPIONT', 'MINIO_PUBLIC_ENDPOINT'],
  ['PRESENTON_PASSWROD', 'PRESENTON_PASSWORD'],
  ['CORS_ORIGIN', 'CORS_ORIGINS'],
  ['TRUST_PROXIES', 'TRUST_PROXY'],
  ['trust_proxy', 'TRUST_PROXY'],
  ['TRUST-PROXY', 'TRUST_PROXY'],
  ['QUOTA_DAY', 'QUOTA_PER_DAY'],
  ['CREATE_TIMEOUT', 'CREATE_TIMEOUT_SECONDS'],
  ['CREATE_TIMEOUT_MS', 'CREATE_TIMEOUT_SECONDS'],
  ['EVENTS_RETENTION_DAYS', 'EVENTS_RETENTION_HOURS'],
  ['LOGLEVEL', 'LOG_LEVEL'],
  ['WORKERS', 'WORKER'],
])('warns of %s, and names %s', (name, likely) => {
  const { warnings } = read({ [name]: 'a-value' })
  expect(warnings).toEqual([`${name} is not a variable of the gateway: ${likely} may be meant`])
})

it('names misspelt variables in the message for an invalid configuration, without values', () => {
  const message = messageFor({ AUTH_JWK_URL: 'https://planted.example' }, withoutKey)
  expect(message).toContain('- AUTH_JWK_URL is not a variable of the gateway: AUTH_JWKS_URL may')
  expect(message).not.toContain('planted')
})

it('does not warn of variables of shells, platforms and other programs', () => {
  const names = [
    ...['PATH', 'HOME', 'HOSTNAME', 'PWD', 'TERM', 'LANG', 'USER', 'SHLVL', 'NODE_ENV', '_'],
    ...['NODE_OPTIONS', 'NODE_EXTRA_CA_CERTS', 'TZ', 'npm_config_cache', 'GATEWAY_COMMIT'],
    ...['KUBERNETES_SERVICE_HOST', 'PRESENTON_PORT', 'PRESENTON_SERVICE_HOST', 'MINIO_PORT'],
    ...['PRESENTON_PORT_80_TCP_ADDR', 'MINIO_SERVICE_PORT', 'POSTGRES_PASSWORD', 'PGHOST'],
    ...['MINIO_ROOT_USER', 'MINIO_ROOT_PASSWORD', 'AWS_ACCESS_KEY_ID', 'FTP_PROXY', 'ALL_PROXY'],
    ...[
      'SANDBOX_FOLDER',
      'SANDBOX_TOKEN',
      'MINIO_BINARY',
      'S3_TEST_SERVERS',
      'http_proxy',
      'no_proxy',
      'CI',
    ],
  ]
  expect(read(Object.fromEntries(names.map((name) => [name, '/x']))).warnings).toEqual([])
})

it('reads proxies in upper and lower case, which comes first', () => {
  const { proxies } = read({
    HTTP_PROXY: 'proxy.example:3128',
    HTTPS_PROXY: 'http://ignored.example',
    https_proxy: 'https://name:p%40ss@proxy.example',
    no_proxy: 'localhost, .internal 10.0.0.0/8',
  })
  expect(proxies).toEqual({
    http: 'http://proxy.example:3128/',
    https: 'https://name:p%40ss@proxy.example/',
    none: ['localhost', '.internal', '10.0.0.0/8'],
  })
  expect(read({ HTTP_PROXY: 'http://proxy.example', http_proxy: '' }).proxies.http).toBeUndefined()
})
