import { afterAll, beforeAll, expect, it } from 'vitest'
import { queueRetry } from '../presentations/statements/queue-runs.ts'
import { lockPresentation } from '../presentations/statements/transitions.ts'
import { openTestRows, type TestRows } from '../sandbox/rows.ts'
import { findLogHead, pruneLogs } from './event-log.ts'

let rows: TestRows
beforeAll(async () => {
  rows = await openTestRows()
})
afterAll(() => rows.close())

const end = (id: string, hoursAgo: number) =>
  rows.database.query(
    `update gateway.presentations set status = 'failed', ended_at = now() - make_interval(hours => $2) where id = $1`,
    [id, hoursAgo],
  )

it('prunes each whole log once after its retention, and again after a later run', async () => {
  const [id, young, running] = [await rows.insert(), await rows.insert(), await rows.insert()]
  const firstSeq = async (id: string) =>
    (await findLogHead(rows.database, { userId: 'alice', id }))?.firstSeq
  await end(id, 25)
  await end(young, 23)
  expect(await pruneLogs(rows.database, 24)).toBe(1)
  expect([await firstSeq(id), await firstSeq(young), await firstSeq(running)]).toEqual([2, 1, 1])
  expect(await pruneLogs(rows.database, 24)).toBe(0)

  await rows.database.transaction(async (client) =>
    queueRetry(client, await lockPresentation(client, { userId: 'alice', id })),
  )
  expect(await pruneLogs(rows.database, 24)).toBe(0)
  await end(id, 25)
  expect(await pruneLogs(rows.database, 24)).toBe(1)
  expect(await firstSeq(id)).toBe(3)
})

it('skips a log that another replica prunes or a new run extends at the moment', async () => {
  const id = await rows.insert()
  await end(id, 25)
  await rows.database.transaction(async (client) => {
    await queueRetry(client, await lockPresentation(client, { userId: 'alice', id }))
    expect(await pruneLogs(rows.database, 24)).toBe(0)
  })
  expect(await pruneLogs(rows.database, 24)).toBe(0)
  expect((await findLogHead(rows.database, { userId: 'alice', id }))?.firstSeq).toBe(1)
})
