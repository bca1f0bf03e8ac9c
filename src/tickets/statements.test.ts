import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openDatabase } from '../database/connection.ts'
import { openTestRows, type TestRows } from '../sandbox/rows.ts'
import { forgetTickets, issueTicket, redeemTicket } from './statements.ts'

const unknownId = '00000000-0000-4000-8000-000000000000'
const inAnHour = () => new Date(Date.now() + 3_600_000)

describe('tickets', () => {
  let rows: TestRows
  let id: string
  beforeAll(async () => {
    rows = await openTestRows()
    id = await rows.insert({ userId: 'alice' })
  })
  afterAll(() => rows.close())

  async function issue(tokenExpiresAt = inAnHour()): Promise<string> {
    const ticket = await issueTicket(rows.database, { userId: 'alice', id, tokenExpiresAt })
    return ticket!
  }

  it('say whose they are and when the token ends they were taken with, and are used up by that', async () => {
    const tokenExpiresAt = inAnHour()
    const ticket = await issue(tokenExpiresAt)
    expect(ticket).toMatch(/^[\w-]{43}$/)
    expect(await redeemTicket(rows.database, { ticket, id })).toEqual({
      userId: 'alice',
      expiresAt: tokenExpiresAt,
    })
    expect(await redeemTicket(rows.database, { ticket, id })).toBeUndefined()
  })

  it('open one stream, whoever uses them at once and wherever', async () => {
    const replicas = [1, 2, 3].map(() => openDatabase({ url: rows.url, poolMax: 5 }))
    const ticket = await issue()
    const uses = await Promise.all(
      Array.from({ length: 30 }, (_, n) => redeemTicket(replicas[n % 3]!, { ticket, id })),
    )
    expect(uses.filter((use) => use !== undefined)).toHaveLength(1)
    await Promise.all(replicas.map((replica) => replica.close()))
  })

  it('are not had for what is not there, or is somebody else’s', async () => {
    expect(
      await issueTicket(rows.database, { userId: 'bob', id, tokenExpiresAt: inAnHour() }),
    ).toBeUndefined()
    expect(
      await issueTicket(rows.database, {
        userId: 'alice',
        id: unknownId,
        tokenExpiresAt: inAnHour(),
      }),
    ).toBeUndefined()
  })

  it('open nothing else: not another presentation, not what only looks like one; and are still good after that', async () => {
    const ticket = await issue()
    for (const other of [unknownId, await rows.insert({ userId: 'alice' }), 'nothing', '']) {
      expect(await redeemTicket(rows.database, { ticket, id: other })).toBeUndefined()
    }
    expect(await redeemTicket(rows.database, { ticket, id: id.toUpperCase() })).toBeDefined()
  })

  it('are kept as hashes only', async () => {
    const ticket = await issue()
    const kept = await rows.database.query('select t::text as row from gateway.tickets t')
    expect(JSON.stringify(kept)).not.toContain(ticket)
  })

  it('end after a minute, or with their token, and are forgotten then', async () => {
    const [old, fresh, ofOldToken] = [
      await issue(),
      await issue(),
      await issue(new Date(Date.now() - 1)),
    ]
    expect(await redeemTicket(rows.database, { ticket: ofOldToken, id })).toBeUndefined()
    await rows.database.query(
      `update gateway.tickets set expires_at = expires_at - interval '59 seconds'`,
    )
    expect(await redeemTicket(rows.database, { ticket: fresh, id })).toBeDefined()
    await rows.database.query(
      `update gateway.tickets set expires_at = expires_at - interval '1 second'`,
    )
    expect(await redeemTicket(rows.database, { ticket: old, id })).toBeUndefined()
    await forgetTickets(rows.database)
    expect(await rows.database.query('select 1 from gateway.tickets')).toEqual([])
  })

  it('bear the latest time that a token can name', async () => {
    const ticket = await issue(new Date(8.64e15))
    expect(await redeemTicket(rows.database, { ticket, id })).toEqual({
      userId: 'alice',
      expiresAt: new Date(8.64e15),
    })
  })
})
