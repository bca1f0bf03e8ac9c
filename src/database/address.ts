// Where the database is and how to connect to it, from DATABASE_URL. Pool, listener and migrations
// make their connections with it.
import type { ConnectionOptions } from 'node:tls'
import pg from 'pg'
import { type DatabaseAddress, parseDatabaseUrl } from '../config/database-url.ts'
import { requireChannelBinding } from './channel-binding.ts'

export type Address = ReturnType<typeof openAddress>

export function openAddress(url: string) {
  const address = parseDatabaseUrl(url)
  const { tls } = address
  let usesTls = tls?.use === 'always' || tls?.use === 'prefer'

  function options(applicationName: string): pg.ClientConfig {
    return {
      host: address.host,
      port: address.port,
      user: address.user,
      password: address.password,
      database: address.database,
      options: address.options,
      application_name: address.applicationName ?? applicationName,
      // Without TLS parameters in the URL, PGSSLMODE may ask for it.
      ...(tls && { ssl: usesTls ? tlsOptions(tls) : false }),
      ...(tls?.direct && { sslnegotiation: 'direct' }),
      enableChannelBinding: address.requireChannelBinding,
    }
  }

  /** The class of connections; a function, so that each can be changed before it connects. */
  function Client(config: pg.ClientConfig): pg.Client {
    const client = new pg.Client(config)
    if (address.requireChannelBinding) requireChannelBinding(client)
    return client
  }

  return {
    /** For a pool, which calls `new`. */
    poolOptions: (applicationName: string): pg.PoolConfig => ({
      ...options(applicationName),
      Client: Client as unknown as new () => pg.ClientBase,
    }),

    createClient: (applicationName: string, more: pg.ClientConfig): pg.Client =>
      Client({ ...options(applicationName), ...more }),

    /**
     * After a refused connection: true when the other kind of connection is now to be tried, as
     * sslmode=prefer and sslmode=allow demand.
     */
    fallBack(error: unknown): boolean {
      const mayFallBack = tls?.use === 'prefer' || tls?.use === 'allow'
      if (!mayFallBack || !(error instanceof Error)) return false
      const isRefused = usesTls
        ? /does not support SSL|pg_hba\.conf/.test(error.message)
        : /pg_hba\.conf|SSL (is )?required/i.test(error.message)
      if (isRefused) usesTls = !usesTls
      return isRefused
    },
  }
}

function tlsOptions({ verify, files }: NonNullable<DatabaseAddress['tls']>): ConnectionOptions {
  const options: ConnectionOptions = { ...files, rejectUnauthorized: verify !== 'nothing' }
  if (verify === 'certificate') options.checkServerIdentity = () => undefined
  return options
}
