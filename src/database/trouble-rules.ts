// Which errors of Postgres, its driver, poolers and hosters mean what for an operator. A detail is
// public, so it names no host, user or value.
import type { Trouble } from '../telemetry/troubles.ts'

export interface TroubleRule {
  /** The code of the error; '' for the driver's own errors, which have none. */
  code: RegExp
  message?: RegExp
  trouble: Trouble
}

const url = { variable: 'DATABASE_URL' }
const pool = { variable: 'DATABASE_POOL_MAX' }

export const transactionPooler: Trouble = {
  ...url,
  reason: 'unsupported',
  detail:
    'It leads to a transaction pooler. The gateway needs session connections, for LISTEN and prepared statements: use the direct address, or the pooler in session mode.',
}

export const readOnly: Trouble = {
  ...url,
  reason: 'misconfigured',
  detail: 'It is read-only, as a standby is. The gateway needs the primary.',
}

const noFurtherConnection: Trouble = {
  ...pool,
  reason: 'limit_reached',
  detail: 'It accepts no further connection: lower DATABASE_POOL_MAX, or raise its limit.',
}

const refusedLogin: Trouble = {
  ...url,
  reason: 'credentials_refused',
  detail: 'It refuses the user or the password. Some poolers want the user as `user.project`.',
}

/** Only a refused or broken connection has these codes, so the text may be searched. */
const ofConnections = /^(08...|28...|3D000|53...|57P..|XX000)$/
const ofDriver = /^$/

const misconfigured = (detail: string): Trouble => ({ ...url, reason: 'misconfigured', detail })

/** The first rule that fits counts. */
export const troubleRules: TroubleRule[] = [
  {
    code: ofConnections,
    message: /unsupported startup parameter/i,
    trouble: misconfigured(
      'A pooler refuses a start-up parameter: remove `options` from the URL, or let the pooler ignore it.',
    ),
  },
  {
    code: ofConnections,
    message: /pg_hba\.conf .*(no encryption|SSL off)/i,
    trouble: misconfigured(
      'It accepts no connection from here without TLS: add sslmode=require to the URL, or see its pg_hba.conf.',
    ),
  },
  {
    code: ofConnections,
    message: /(SSL|TLS|encryption) (is |connection is )?required/i,
    trouble: misconfigured('It demands TLS: add sslmode=require to the URL.'),
  },
  {
    code: ofConnections,
    message: /pg_hba\.conf|allow_list|not allowed to connect|no CONNECT privilege/i,
    trouble: {
      ...url,
      reason: 'access_denied',
      detail: 'It does not let this user connect from here: see its pg_hba.conf or allow-list.',
    },
  },
  {
    code: ofConnections,
    message:
      /max(imum)? client|max_client_conn|too many (clients|connections)|no more connections/i,
    trouble: noFurtherConnection,
  },
  { code: /^53300$/, trouble: noFurtherConnection },
  {
    code: ofConnections,
    message: /query_wait_timeout/i,
    trouble: {
      ...pool,
      reason: 'limit_reached',
      detail:
        'A pooler had no connection free in time: lower DATABASE_POOL_MAX, or raise the size of its pool.',
    },
  },
  {
    code: ofConnections,
    message: /exceeded the .*quota/i,
    trouble: { ...url, reason: 'limit_reached', detail: 'The quota at its hoster is used up.' },
  },
  {
    code: /^3D000$/,
    trouble: misconfigured('The database that the URL names does not exist there.'),
  },
  {
    code: ofConnections,
    message: /no such database|endpoint id is not specified|endpoint could not be found/i,
    trouble: misconfigured('It does not know the database or project that the URL names.'),
  },
  {
    code: ofDriver,
    message: /^SASL.*password must be a (non-empty )?string/,
    trouble: { ...refusedLogin, detail: 'It asks for a password, and the URL has none.' },
  },
  { code: /^28/, trouble: refusedLogin },
  { code: ofDriver, message: /^SASL/, trouble: refusedLogin },
  {
    code: ofConnections,
    message: /authentication failed|login failed|tenant(\/| or )user|no such user/i,
    trouble: refusedLogin,
  },
  {
    code: ofDriver,
    message: /^The server does not support SSL|^There was an error establishing an SSL/,
    trouble: misconfigured('It offers no TLS: set sslmode=disable or sslmode=prefer in the URL.'),
  },
  {
    code: ofDriver,
    message: /^The server does not support channel binding/,
    trouble: misconfigured('It offers no channel binding, which the URL requires.'),
  },
  {
    code: /^ERR_TLS_CERT_ALTNAME_INVALID$/,
    trouble: misconfigured('Its TLS certificate is for another host name than the URL has.'),
  },
  { code: /^CERT_HAS_EXPIRED$/, trouble: misconfigured('Its TLS certificate has expired.') },
  {
    code: /CERT|^UNABLE_TO_|^INVALID_(CA|PURPOSE)$/,
    trouble: misconfigured(
      'Its TLS certificate is not trusted: name the file of its CA in sslrootcert.',
    ),
  },
  {
    code: /^(EPROTO|ERR_(SSL|TLS))/,
    trouble: misconfigured('No TLS connection can be made with it: look at sslmode in the URL.'),
  },
  {
    code: ofDriver,
    message: /^received invalid response/,
    trouble: misconfigured('What responds there is not PostgreSQL.'),
  },
  { code: /^25006$/, trouble: readOnly },
  {
    code: /^42501$/,
    trouble: {
      ...url,
      reason: 'access_denied',
      detail:
        'Its user lacks a right: it must own the schema gateway and its tables, or may create that schema.',
    },
  },
  { code: /^(26000|42P05)$/, trouble: transactionPooler },
  {
    code: ofConnections,
    message: /transaction blocks not allowed/i,
    trouble: transactionPooler,
  },
  {
    code: /^(3F000|42P01)$/,
    trouble: {
      reason: 'not_migrated',
      variable: 'MIGRATE_ON_START',
      detail: 'The tables of the gateway are not there yet.',
    },
  },
  { code: /^53100$/, trouble: { ...url, reason: 'failing', detail: 'Its disk is full.' } },
  { code: /^53/, trouble: { ...url, reason: 'failing', detail: 'It lacks memory or disk.' } },
  {
    code: /^57P03$/,
    trouble: { ...url, reason: 'unreachable', detail: 'It is starting or shutting down.' },
  },
  { code: /^57P04$/, trouble: misconfigured('The database that the URL names was dropped.') },
  {
    code: /^(ENOTFOUND|EAI_)/,
    trouble: { ...url, reason: 'unreachable', detail: 'Its host name cannot be resolved.' },
  },
  {
    code: /^(ENOENT|EACCES)$/,
    message: /^connect /,
    trouble: misconfigured('The Unix socket that the URL names is not there or not open to us.'),
  },
  {
    code: ofDriver,
    message: /^timeout exceeded when trying to connect/,
    trouble: {
      ...pool,
      reason: 'limit_reached',
      detail: 'No connection of the pool became free in time.',
    },
  },
  {
    code: ofDriver,
    message:
      /^(timeout expired|Connection terminated due to connection timeout|Query read timeout)/,
    trouble: { ...url, reason: 'no_response', detail: 'It does not respond in time.' },
  },
  {
    code: /^57014$/,
    trouble: { ...url, reason: 'no_response', detail: 'A statement took too long.' },
  },
]
