// Whether the gateway can work with the database at all: asked once before the migrations, since
// waiting fixes none of it, and each would show later as an error that names no cause.
import type pg from 'pg'
import type { Address } from './address.ts'
import { isQueryTimeout } from './database-errors.ts'
import { UnusableDatabase } from './database-troubles.ts'
import { destroySocket, endClient } from './pg-client.ts'
import { readOnly, transactionPooler } from './trouble-rules.ts'

/** The oldest version that our tests were seen to pass with. */
const leastVersion = 13

const connectTimeoutMs = 10_000
const queryTimeoutMs = 10_000
const closeTimeoutMs = 1_000

/** Rejects with UnusableDatabase, or with the error of the driver or the server. */
export async function checkServer(address: Address, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted()
  const clients = [1, 2].map(() => {
    const client = address.createClient('presenton-gateway check', {
      connectionTimeoutMillis: connectTimeoutMs,
      query_timeout: queryTimeoutMs,
    })
    return client.on('error', () => undefined)
  })
  const [first, second] = clients as [pg.Client, pg.Client]
  const onAbort = () => clients.forEach(destroySocket)
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    await first.connect()
    await checkProperties(first)
    await second.connect()
    await checkSessions(first, second)
  } finally {
    signal.removeEventListener('abort', onAbort)
    await Promise.all(clients.map((client) => endClient(client, closeTimeoutMs)))
  }
}

interface Properties {
  product: string
  version: number
  encoding: string
  isReadOnly: boolean
}

async function checkProperties(client: pg.Client): Promise<void> {
  const { rows } = await client.query<Properties>(
    `select version() as product, current_setting('server_version_num')::int as version,
       current_setting('server_encoding') as encoding,
       current_setting('transaction_read_only') = 'on' as "isReadOnly"`,
  )
  const [{ product, version, encoding, isReadOnly } = missing] = rows
  if (!/^(PostgreSQL|EnterpriseDB)/.test(product)) {
    throw unusable('unsupported', 'It is not PostgreSQL.')
  }
  if (version < leastVersion * 10_000) {
    throw unusable(
      'unsupported',
      `Its version is too old: PostgreSQL ${leastVersion} is the least.`,
    )
  }
  if (encoding !== 'UTF8') {
    throw unusable('unsupported', 'Its encoding is not UTF8: create a database with encoding UTF8.')
  }
  if (isReadOnly) throw new UnusableDatabase(readOnly)
}

const missing: Properties = { product: '', version: 0, encoding: '', isReadOnly: false }

function unusable(reason: 'unsupported', detail: string): UnusableDatabase {
  return new UnusableDatabase({ reason, variable: 'DATABASE_URL', detail })
}

/** A process of the server: its number, and its start, since numbers come again. */
const serverProcess = `select format('%s %s', pg_backend_pid(),
    (select backend_start from pg_stat_activity where pid = pg_backend_pid())) as process`

const noSecondConnection = new UnusableDatabase({
  reason: 'limit_reached',
  variable: 'DATABASE_POOL_MAX',
  detail:
    'It gave us one connection, but no second one in time: raise the size of the pool of its pooler.',
})

/** Other clients of a pooler may take and return its connections at any time. */
const rounds = 3

/**
 * A session keeps its server process, and has it alone. So a process that serves two open
 * connections, or a connection that changes its process, proves a transaction pooler.
 */
async function checkSessions(first: pg.Client, second: pg.Client): Promise<void> {
  // In session mode a pooler without a free connection lets this wait.
  await second.query('select 1').catch((error: unknown) => {
    throw isQueryTimeout(error) ? noSecondConnection : error
  })
  // A proxy that keeps the session of connections that LISTEN is none, so ask as the gateway works.
  await first.query('listen gateway_check')
  const own = await readProcess(first)
  for (let round = 1; round <= rounds; round += 1) {
    // The open transaction keeps the second connection's process from the first.
    await second.query('begin')
    const others = await readProcess(second)
    if (others === own || (await readProcess(first)) !== own) {
      throw new UnusableDatabase(transactionPooler)
    }
    await second.query('commit')
  }
}

async function readProcess(client: pg.Client): Promise<string> {
  const { rows } = await client.query<{ process: string }>(serverProcess)
  return rows[0]?.process ?? ''
}
