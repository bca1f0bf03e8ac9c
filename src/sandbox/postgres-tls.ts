// Turns TLS on in a running Postgres.

import pg from 'pg'
import type { Certificate } from './certificate.ts'

/** `url` is a superuser's. Connections without TLS are refused for the roles in `onlyTls`. */
export async function enableTls(
  url: string,
  { cert, key }: Certificate,
  { onlyTls }: { onlyTls: string },
): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  // The server writes the files itself: they must be its own, and the key closed to others.
  const write = (file: string, text: string) =>
    client.query(
      `copy (select '${Buffer.from(text).toString('base64')}')
       to program 'umask 077; base64 -d > "${file}"'`,
    )
  const {
    rows: [{ hba }],
  } = await client.query(`select pg_read_file(current_setting('hba_file')) as hba`)
  const {
    rows: [{ folder }],
  } = await client.query(`select current_setting('data_directory') as folder`)
  await write('server.crt', cert)
  await write('server.key', key)
  await write(
    `${folder}/pg_hba.conf`,
    `hostnossl all ${onlyTls} all reject
${hba}`,
  )
  await client.query(`alter system set ssl = on`)
  await client.query(`select pg_reload_conf()`)
  await client.end()
}
