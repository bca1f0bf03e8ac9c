import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openDatabase } from '../database/connection.ts'
import { openTestRows, type TestRows } from '../sandbox/rows.ts'
import { issueTicket, pruneTickets, redeemTicket } from './statements.ts'

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

  const issueFor = (userId: string, presentationId: string | null, tokenExpiresAt = inAnHour()) =>
    issueTicket(rows.database, { userId, purpose: 'events', presentationId, tokenExpiresAt })
  const issue = async (tokenExpiresAt?: Date) => (await issueFor('alice', id, tokenExpiresAt))!
  const redeem = (ticket: string, presentationId: string | null = id, database = rows.database) =>
    redeemTicket(database, { ticket, purpose: 'events', presentationId })

  it('returns the user and the end of their token, and uses the ticket up', async () => {
    const tokenExpiresAt = inAnHour()
    const ticket = await issue(tokenExpiresAt)
    expect(ticket).toMatch(/^[\w-]{43}$/)
    expect(await redeem(ticket)).toEqual({ userId: 'alice', expiresAt: tokenExpiresAt })
    expect(await redeem(ticket)).toBeUndefined()
  })

  it('lets one of many simultaneous attempts succeed, over all replicas', async () => {
    const replicas = [1, 2, 3].map(() => openDatabase({ url: rows.url, poolMax: 5 }))
    const ticket = await issue()
    const uses = await Promise.all(
      Array.from({ length: 30 }, (_, n) => redeem(ticket, id, replicas[n % 3]!)),
    )
    expect(uses.filter((use) => use !== undefined)).toHaveLength(1)
    await Promise.all(replicas.map((replica) => replica.close()))
  })

  it('issues none for an unknown presentation or one of another user', async () => {
    expect(await issueFor('bob', id)).toBeUndefined()
    expect(await issueFor('alice', unknownId)).toBeUndefined()
  })

  it('opens no other presentation and no malformed id, and stays valid after such attempts', async () => {
    const ticket = await issue()
    for (const other of [unknownId, await rows.insert({ userId: 'alice' }), 'nothing', '', null]) {
      expect(await redeem(ticket, other)).toBeUndefined()
    }
    expect(await redeem(ticket, id.toUpperCase())).toBeDefined()
  })

  it('can be bound to no presentation, and then opens none', async () => {
    const ticket = await issueFor('alice', null)
    expect(await redeem(ticket!, id)).toBeUndefined()
    expect(await redeem(ticket!, null)).toMatchObject({ userId: 'alice' })
  })

  it('opens nothing of another purpose', async () => {
    const ticket = await issue()
    await rows.database.query(`update gateway.tickets set purpose = 'another'`)
    expect(await redeem(ticket)).toBeUndefined()
    await rows.database.query(`update gateway.tickets set purpose = 'events'`)
    expect(await redeem(ticket)).toBeDefined()
  })

  it('opens the event stream when the previous release issued it', async () => {
    const ticket = await issue()
    await rows.database.query(
      `with old as (delete from gateway.tickets returning *)
       insert into gateway.tickets (hash, user_id, presentation_id, expires_at, token_expires_at)
       select hash, user_id, presentation_id, expires_at, token_expires_at from old`,
    )
    expect(await redeem(ticket)).toBeDefined()
  })

  it('stores hashes only', async () => {
    const ticket = await issue()
    const stored = await rows.database.query('select t::text as row from gateway.tickets t')
    expect(JSON.stringify(stored)).not.toContain(ticket)
  })

  it('expires after a minute or with its token, and is pruned then', async () => {
    const [old, fresh, ofExpiredToken] = [
      await issue(),
      await issue(),
      await issue(new Date(Date.now() - 1)),
    ]
    expect(await redeem(ofExpiredToken)).toBeUndefined()
    await rows.database.query(
      `update gateway.tickets set expires_at = expires_at - interval '59 seconds'`,
    )
    expect(await redeem(fresh)).toBeDefined()
    await rows.database.query(
      `update gateway.tickets set expires_at = expires_at - interval '1 second'`,
    )
    expect(await redeem(old)).toBeUndefined()
    await pruneTickets(rows.database)
    expect(await rows.database.query('select 1 from gateway.tickets')).toEqual([])
  })

  it('keeps the latest expiry that a token can have', async () => {
    const ticket = await issue(new Date(8.64e15))
    expect(await redeem(ticket)).toEqual({ userId: 'alice', expiresAt: new Date(8.64e15) })
  })
})
