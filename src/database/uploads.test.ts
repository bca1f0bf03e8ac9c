import { afterAll, beforeAll, expect, it } from 'vitest'
import { openTestRows, type TestRows } from '../sandbox/rows.ts'
import { createChannels } from './channels.ts'
import { claim, type Run } from './leases.ts'
import { createRunLog } from './run-log.ts'
import { findRemovableUploads, recordFile, recordUpload } from './uploads.ts'

let rows: TestRows
beforeAll(async () => {
  rows = await openTestRows()
})
afterAll(() => rows.close())

const makeAllDue = () =>
  rows.database.query(`update gateway.uploads set remove_after = now() - interval '1 second'`)

it('returns due uploads, except those of files and of a lease holder that may still write', async () => {
  await rows.insert()
  const run = (await claim(rows.database, {
    maxRunning: 1,
    maxRunningPerUser: 1,
    leaseMs: 60_000,
  })) as Run
  const signal = new AbortController().signal
  const log = createRunLog({
    database: rows.database,
    channels: createChannels(undefined),
    run,
    signal,
    onLost: () => undefined,
  })
  const file = {
    format: 'pptx' as const,
    sizeBytes: 1,
    sha256: '',
    contentType: '',
    replacedAfterSeconds: 900,
  }
  await log.commit({
    extraStatements: [recordUpload({ objectKey: 'of another lease', token: crypto.randomUUID() })],
  })
  await log.commit({
    extraStatements: [
      recordUpload({ objectKey: 'of a file', token: run.token }),
      recordFile({ ...file, objectKey: 'of a file' }),
    ],
  })
  await log.commit({
    extraStatements: [recordUpload({ objectKey: 'in progress', token: run.token })],
  })
  expect(await findRemovableUploads(rows.database)).toEqual([])
  await makeAllDue()
  expect(await findRemovableUploads(rows.database)).toEqual(['of another lease'])
  // No other worker has claimed the lease, so its holder may still record the file.
  await rows.database.query(`update gateway.leases set expires_at = now() - interval '2 hours'`)
  expect(await findRemovableUploads(rows.database)).toEqual(['of another lease'])
  await rows.database.query('update gateway.leases set token = gen_random_uuid()')
  expect((await findRemovableUploads(rows.database)).sort()).toEqual([
    'in progress',
    'of another lease',
  ])
})
