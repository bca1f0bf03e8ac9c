// channel_binding=require: the server proves in the login that no one sits between. The driver can
// do it, but would also accept a server that does not offer it.
import type { EventEmitter } from 'node:events'
import type { Socket } from 'node:net'
import type pg from 'pg'

interface DriverConnection extends EventEmitter {
  stream: Socket
}

/** To be called before the client connects. */
export function requireChannelBinding(client: pg.Client): void {
  const { connection } = client as unknown as { connection: DriverConnection }
  let isBound = false
  // `stream` changes with TLS. A destroyed one sends no password any more.
  const refuse = () =>
    connection.stream.destroy(new Error('The server does not support channel binding'))
  connection.on('authenticationCleartextPassword', refuse)
  connection.on('authenticationMD5Password', refuse)
  connection.on('authenticationSASL', ({ mechanisms }: { mechanisms: string[] }) => {
    isBound = mechanisms.includes('SCRAM-SHA-256-PLUS')
    if (!isBound) refuse()
  })
  connection.on('authenticationOk', () => {
    if (!isBound) refuse()
  })
}
