// Statements written with drizzle's query builder. Each is turned into text once, when its module
// loads: a call only binds values, and connection.ts runs and prepares it like any other text.
import { getTableColumns, is, Param, Placeholder, type SQL, sql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/node-postgres'
import { PgDialect, type PgTable } from 'drizzle-orm/pg-core'
import type { Queryable } from './connection.ts'

/** Builds statements; it has no connection and runs none. */
export const build = drizzle.mock()

const dialect = new PgDialect()

/** A placeholder for each value that a statement is called with. */
export type Given<Values> = { [Name in keyof Values]-?: Placeholder<Name & string, Values[Name]> }

interface Buildable {
  getSQL(): SQL
}

type RowOf<Query> = Query extends { readonly _: { readonly result: (infer Row)[] } }
  ? Row
  : Query extends SQL<infer Row>
    ? Row
    : never

/**
 * Makes a function that runs one statement with the values it is given, and returns the rows.
 *
 *     const deleteDeck = statement((given: Given<{ deckId: string }>) =>
 *       build.delete(decks).where(eq(decks.deckId, given.deckId)),
 *     )
 *     await deleteDeck(database, { deckId })
 */
export function statement<Values extends object, Query extends Buildable>(
  write: (given: Given<Values>) => Query,
) {
  const given = new Proxy({} as Given<Values>, {
    get: (_, name) => sql.placeholder(String(name)),
  })
  const { sql: text, params } = dialect.sqlToQuery(write(given).getSQL())
  return (on: Queryable, ...[values]: object extends Values ? [] : [Values]) =>
    on.query<RowOf<Query> & object>(text, bind(params, { ...values }))
}

/** As drizzle's `fillPlaceholders`, but null stays SQL NULL where that encodes JSON `null`. */
function bind(params: unknown[], values: Record<string, unknown>): unknown[] {
  return params.map((param) => {
    if (is(param, Placeholder)) return values[param.name]
    if (!is(param, Param) || !is(param.value, Placeholder)) return param
    const value = values[param.value.name]
    return value === null ? null : param.encoder.mapToDriverValue(value)
  })
}

/** Columns under their names in the schema, for `select` and `returning`. */
export function columns<Table extends PgTable, Name extends keyof Table['$inferSelect'] & string>(
  table: Table,
  ...names: Name[]
) {
  const all = getTableColumns(table)
  return Object.fromEntries(names.map((name) => [name, sql`${all[name]}`.as(name)])) as {
    [Key in Name]: SQL.Aliased<Table['$inferSelect'][Key]>
  }
}

/** The same for raw SQL: `p.user_id as "userId", …` of the rows named `alias`. */
export function columnList<Table extends PgTable>(
  table: Table,
  alias: string,
  names: readonly (keyof Table['$inferSelect'] & string)[],
): string {
  const all = getTableColumns(table)
  return names.map((name) => `${alias}.${all[name]?.name} as "${name}"`).join(', ')
}
