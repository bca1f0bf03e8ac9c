import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { createCertificate } from '../sandbox/certificate.ts'
import { databaseUrl, parseDatabaseUrl } from './database-url.ts'

const folder = mkdtempSync(join(tmpdir(), 'database-url-'))
const { cert, key } = createCertificate()
const ca = join(folder, 'ca.pem')
writeFileSync(ca, cert)
writeFileSync(join(folder, 'client.key'), key)
writeFileSync(join(folder, 'garbage.pem'), 'nothing')
afterAll(() => rmSync(folder, { recursive: true }))

/** The error for the URL; '' when it is accepted. */
function errorFor(text: string): string {
  try {
    parseDatabaseUrl(text)
    return ''
  } catch (error) {
    return (error as Error).message
  }
}

const at = { host: 'db', user: 'u', password: 'p', database: 'decks', requireChannelBinding: false }

describe('parseDatabaseUrl', () => {
  it.each([
    ['postgres://u:p@db/decks', at],
    ['postgresql://u:p@db:6543/decks', { ...at, port: 6543 }],
    [' postgres://u:p@db/decks\n', at],
    ['postgres://u:p@db:/decks', at],
    ['postgres://u:p@@s@db/decks', { ...at, password: 'p@@s' }],
    ['postgres://u:p:s@db/decks', { ...at, password: 'p:s' }],
    ['postgres://u:p%s$^&*()!+=@db/decks', { ...at, password: 'p%s$^&*()!+=' }],
    ['postgres://u:100%25%23%2f@db/decks', { ...at, password: '100%#/' }],
    ['postgres://u%40corp:p@db/decks', { ...at, user: 'u@corp' }],
    ['postgres://postgres.abcd:p@db/decks', { ...at, user: 'postgres.abcd' }],
    ['postgres://u:p@db/my%20decks', { ...at, database: 'my decks' }],
    ['postgres://u:p@[::1]:5432/decks', { ...at, host: '::1', port: 5432 }],
    ['postgres://u:p@[fe80::1%25eth0]/decks', { ...at, host: 'fe80::1%eth0' }],
    ['postgres://u:p@db_1/decks', { ...at, host: 'db_1' }],
    ['postgres://u:p@/decks?host=/cloudsql/p:r:i', { ...at, host: '/cloudsql/p:r:i' }],
    ['postgres://u:p@%2Frun%2Fpg/decks', { ...at, host: '/run/pg' }],
    ['postgres:///decks?host=/run/pg&user=u&password=p', { ...at, host: '/run/pg' }],
    ['postgresql://?host=db&port=1&user=u&password=p&dbname=decks', { ...at, port: 1 }],
    ['postgres://db', { host: 'db', requireChannelBinding: false }],
    ['postgres://u:p@db/decks?options=project%3Da-1', { ...at, options: 'project=a-1' }],
    ['postgres://u:p@db/decks?application_name=decks', { ...at, applicationName: 'decks' }],
    ['postgres://u:p@db/decks?target_session_attrs=read-write', at],
    [
      'postgres://u:p@db/decks?schema=app&pgbouncer=true&connection_limit=1&pool_timeout=2&connect_timeout=15&statement_cache_size=0&supa=base-pooler.x&uselibpqcompat=true',
      at,
    ],
  ])('reads %s', (text, address) => {
    expect(parseDatabaseUrl(text)).toEqual(address)
  })

  const nothing = { use: 'always', verify: 'nothing', direct: false, files: {} }
  const host = { ...nothing, verify: 'certificate-and-host' }
  it.each([
    ['sslmode=disable', { ...nothing, use: 'never' }],
    ['sslmode=allow', { ...nothing, use: 'allow' }],
    ['sslmode=prefer', { ...nothing, use: 'prefer' }],
    ['sslmode=require', nothing],
    ['sslmode=require&uselibpqcompat=true', nothing],
    ['sslmode=no-verify', nothing],
    ['sslmode=verify-full', host],
    ['sslmode=verify-ca', host],
    ['sslmode=verify-full&sslrootcert=system', host],
    ['sslmode=require&sslaccept=strict', host],
    ['ssl=true', host],
    ['ssl=1', host],
    ['ssl=true&sslmode=require', nothing],
    ['ssl=0', { ...nothing, use: 'never' }],
    ['ssl=false', { ...nothing, use: 'never' }],
    ['ssl=require', nothing],
    ['ssl=no-verify', nothing],
    ['sslnegotiation=direct', { ...host, direct: true }],
    [
      `sslmode=verify-ca&sslrootcert=${ca}`,
      { ...nothing, verify: 'certificate', files: { ca: cert } },
    ],
    [
      `sslmode=require&sslrootcert=${ca}`,
      { ...nothing, verify: 'certificate', files: { ca: cert } },
    ],
    [`sslrootcert=${ca}`, { ...host, files: { ca: cert } }],
    [
      `sslmode=require&sslcert=${ca}&sslkey=${join(folder, 'client.key')}`,
      { ...nothing, files: { cert, key } },
    ],
  ])('takes %s as psql does', (query, tls) => {
    expect(parseDatabaseUrl(`postgres://u:p@db/decks?${query}`).tls).toEqual(tls)
  })

  it('uses the default of the driver without TLS parameters', () => {
    expect(parseDatabaseUrl('postgres://u:p@db/decks?sslmode=')).toEqual(at)
  })

  it('requires channel binding only over TLS', () => {
    const url = 'postgres://u:p@db/decks?channel_binding=require'
    expect(parseDatabaseUrl(`${url}&sslmode=require`).requireChannelBinding).toBe(true)
    expect(errorFor(url)).toContain('sslmode=require')
  })

  it.each([
    ['mysql://root:LEAK@db/x', 'postgres://'],
    ['jdbc:postgresql://LEAK/x', 'postgres://'],
    ['postgresql+asyncpg://u:LEAK@db/x', 'postgres://'],
    ['"postgres://u:LEAK@db/x"', 'without quotes'],
    [`psql 'postgres://u:LEAK@db/x'`, 'without quotes'],
    ['host=LEAK user=u', 'postgres://'],
    ['postgres://u:LE AK@db/x', 'spaces'],
    ['postgres://u:LEAK#1@db/x', 'percent-encoded'],
    ['postgres://u:LEAK/1@db/x', 'percent-encoded'],
    ['postgres://u:987/LEAK@db/x', 'percent-encoded'],
    ['postgres://u:LEAK?1@db/x', 'percent-encoded'],
    ['postgres://u:987?LEAK@db/x', 'percent-encoded'],
    ['postgres://u:LEAK%ff@db/x', 'percent-encoded'],
    ['postgres://u:[YOUR-PASSWORD]@db/x', 'placeholder'],
    ['postgres://u:LEAK@one,two/x', 'several hosts'],
    ['postgres://u:LEAK@one:5432,two:5433/x', 'several hosts'],
    ['postgres:///x?host=one,two', 'several hosts'],
    ['postgres://u:LEAK@::1/x', 'brackets'],
    ['postgres://u:LEAK@db:port/x', 'port'],
    ['postgres://u:LEAK@db:65987/x', 'port'],
    ['postgres://u:LEAK@db:0/x', 'port'],
    ['postgres://u:LEAK@db/x?sslmode=LEAK', 'sslmode'],
    ['postgres://u:LEAK@db/x?sslMode=require', 'misspelt sslmode'],
    ['postgres://u:LEAK@db/x?ssl=LEAK', 'sslmode'],
    ['postgres://u:LEAK@db/x?sslmode=verify-ca&sslrootcert=/LEAK.pem', 'cannot be read'],
    [`postgres://u:LEAK@db/x?sslrootcert=${join(folder, 'garbage.pem')}`, 'no valid PEM'],
    [`postgres://u:LEAK@db/x?sslkey=${join(folder, 'garbage.pem')}`, 'no valid PEM'],
    ['postgres://u:LEAK@db/x?sslmode=prefer&sslnegotiation=direct', 'sslnegotiation'],
    ['postgres://u:LEAK@db/x?target_session_attrs=standby', 'standby'],
    ['postgres://u:LEAK@db/x?target_session_attrs=LEAK', 'target_session_attrs'],
  ])('refuses %s, and quotes nothing of it', (text, reason) => {
    const message = errorFor(text)
    expect(message).toContain(reason)
    expect(message).not.toMatch(/LEAK|987|garbage/)
  })
})

it('databaseUrl drops surrounding white space, which files and secrets may add', () => {
  expect(databaseUrl(' postgres://u:p@db/decks\n')).toBe('postgres://u:p@db/decks')
})
