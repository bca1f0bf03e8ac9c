// When a review that starts now expires, by the database's clock.

import type { Database } from '../../database/connection.ts'

export async function readReviewDeadline(
  database: Pick<Database, 'query'>,
  hours: number,
): Promise<Date> {
  const [row] = await database.query<{ deadline: Date }>(
    'select (now() + make_interval(hours => $1))::timestamptz(3) as deadline',
    [hours],
  )
  if (!row) throw new Error('The database returned no time.')
  return row.deadline
}
