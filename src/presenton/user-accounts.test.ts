// Accounts of users: how they are made and signed in, by several replicas, against the stand-in
// with real Postgres.

import { afterAll, afterEach, beforeAll, expect, it, onTestFinished } from 'vitest'
import { createAccountStore } from '../database/upstream-accounts.ts'
import { openStandIn, type StandInOptions } from '../sandbox/presenton/stand-in.ts'
import { openTestRows, type TestRows } from '../sandbox/rows.ts'
import { accountOfUser, passwordOf, type UserAccount } from './account.ts'
import type { Presenton, PresentonOptions } from './client.ts'
import { openClient } from './fixtures/upstream.ts'
import type { UserAccountsOptions } from './user-accounts.ts'

const credentials = { username: 'admin', password: 'correct horse' }
const secret = 'a secret of at least 32 characters.'
const { signal } = new AbortController()
const alice = accountOfUser('alice')
const bob = accountOfUser('bob')
const brief = {
  ...{ content: 'One. Two. Three.', nSlides: 3, language: 'English', tone: 'default' },
  ...{ verbosity: 'standard', includeTitleSlide: true },
  ...{ includeTableOfContents: false, webSearch: false },
}

let rows: TestRows
beforeAll(async () => {
  rows = await openTestRows()
})
afterEach(() => rows.database.query('truncate gateway.upstream_accounts, gateway.upstream_logins'))
afterAll(() => rows.close())

async function openWorld(options: StandInOptions = {}) {
  const upstream = await openStandIn({ shape: 'B1', credentials, loginLimit: null, ...options })
  onTestFinished(() => upstream.close())
  const troubles: string[] = []
  function openReplica(
    users: Partial<UserAccountsOptions> = {},
    more: Partial<PresentonOptions> = {},
  ): Presenton {
    const client = openClient(upstream.url, {
      credentials,
      users: { secret, store: createAccountStore(rows.database), isEnabled: true, ...users },
      troubles: {
        report: (_part, { variable }) => troubles.push(variable),
        clear: () => undefined,
      },
      ...more,
    })
    onTestFinished(() => client.close())
    return client
  }
  const requestsTo = (path: string, method?: string) =>
    upstream.journal.filter(
      (entry) => entry.path.startsWith(path) && (!method || entry.method === method),
    )
  const logins = () => requestsTo('/api/v1/auth/login', 'POST')
  return { upstream, openReplica, troubles, requestsTo, logins }
}

const create = (presenton: Presenton, account: UserAccount) =>
  presenton.createDeck({ account, signal, brief })
const read = (presenton: Presenton, account: UserAccount, deckId: string) =>
  presenton.readDeck({ account, signal, deckId })

async function drain(stream: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of stream);
}

it('makes an account at first need, and does everything under its session', async () => {
  const { upstream, openReplica, logins } = await openWorld()
  const presenton = openReplica()
  const { deckId } = await create(presenton, alice)
  expect(upstream.users).toMatchObject([
    { username: alice.name, password: passwordOf(alice, secret), role: 'user' },
  ])
  expect(upstream.decks.get(deckId)?.owner).toBe(upstream.users[0]?.id)
  await expect(read(presenton, bob, deckId)).rejects.toMatchObject({ failure: 'gone' })
  await expect(
    presenton.readDeck({ account: { kind: 'shared' }, signal, deckId }),
  ).rejects.toMatchObject({ failure: 'gone' })
  // Alice, Bob and the administrator.
  expect(logins()).toHaveLength(3)
})

it('shares one encrypted session between replicas, also when both begin at once', async () => {
  const { upstream, openReplica, requestsTo } = await openWorld()
  const replicas = [openReplica(), openReplica()]
  const decks = await Promise.all(
    [0, 1, 0, 1].flatMap((one) =>
      [alice, bob].map((user) => create(replicas[one] as Presenton, user)),
    ),
  )
  expect(decks).toHaveLength(8)
  expect(upstream.users).toHaveLength(2)
  expect(requestsTo('/api/v1/admin/users', 'POST')).toHaveLength(2)
  const stored = await rows.database.query<{ session: string }>(
    'select session from gateway.upstream_accounts',
  )
  expect(stored).toHaveLength(2)
  for (const { session } of stored) expect(session).not.toContain('presenton_session')
  const cookies = new Set(
    requestsTo('/api/v1/ppt/presentation/create').map(({ headers }) => headers.cookie),
  )
  expect(cookies.size).toBe(2)
  const late = openReplica()
  await create(late, alice)
  expect(
    new Set(requestsTo('/api/v1/ppt/presentation/create').map(({ headers }) => headers.cookie))
      .size,
  ).toBe(2)
})

it('resets the password, once, when a login is refused after a change of the secret', async () => {
  const { upstream, openReplica, requestsTo } = await openWorld()
  const { deckId } = await create(openReplica(), alice)
  const other = 'another secret of 32 characters, or more'
  const rotated = openReplica({ secret: other })
  expect((await read(rotated, alice, deckId)).slides).toEqual([])
  expect(requestsTo('/api/v1/admin/users/', 'PUT')).toHaveLength(1)
  expect(upstream.users).toMatchObject([{ password: passwordOf(alice, other) }])
})

it('stops after a second refusal, and tries again only after a minute', async () => {
  const { upstream, openReplica, logins, requestsTo } = await openWorld()
  const presenton = openReplica()
  await create(presenton, alice)
  upstream.dropSessions(alice.name)
  upstream.changeUser(alice.name, { password: 'of an operator' })
  upstream.faults.inject('login:401', { times: 2 })
  const before = logins().length
  const refused = { failure: 'credentials', retryAfterSeconds: 60 }
  await expect(create(presenton, alice)).rejects.toMatchObject({ failure: 'credentials' })
  await expect(create(presenton, alice)).rejects.toMatchObject(refused)
  await expect(create(openReplica(), alice)).rejects.toMatchObject(refused)
  // The third is that of the other replica's administrator.
  expect(logins().length - before).toBe(3)
  expect(requestsTo('/api/v1/admin/users/', 'PUT')).toHaveLength(1)
})

it('makes an account that vanished again', async () => {
  const { upstream, openReplica } = await openWorld()
  const presenton = openReplica()
  await create(presenton, alice)
  upstream.changeUser(alice.name, 'remove')
  const { deckId } = await create(presenton, alice)
  expect(upstream.decks.get(deckId)?.owner).toBe(upstream.users[0]?.id)
})

it('lets another replica log in when one dies in a login', async () => {
  const { upstream, openReplica, logins } = await openWorld()
  const store = createAccountStore(rows.database)
  // What a replica leaves that was killed: a right to log in that is never given back.
  await store.takeLogin({
    name: alice.name,
    userId: 'alice',
    token: crypto.randomUUID(),
    seconds: 1,
  })
  await create(openReplica(), alice)
  expect(upstream.users).toHaveLength(1)
  expect(logins().filter(({ status }) => status === 200).length).toBeGreaterThan(0)
})

it.each(['outlines', 'slides'] as const)(
  'never repeats %s after a 401: the attempt fails, and the next one logs in again',
  async (operation) => {
    const { upstream, openReplica, logins } = await openWorld()
    const presenton = openReplica()
    const { deckId } = await create(presenton, alice)
    const call = { account: alice, signal, deckId }
    if (operation === 'slides') {
      await drain(presenton.streamOutlines(call))
      await presenton.prepareDeck({ ...call, title: 't', outlines: ['# A'], templateId: 'general' })
    }
    const stream = () =>
      drain(operation === 'slides' ? presenton.streamSlides(call) : presenton.streamOutlines(call))
    upstream.dropSessions(alice.name)
    const before = logins().length
    await expect(stream()).rejects.toMatchObject({ failure: 'fault' })
    expect(logins()).toHaveLength(before)
    await stream()
    expect(logins()).toHaveLength(before + 1)
  },
)

it('never repeats a chat turn, an edit or an image after a 401', async () => {
  const { upstream, openReplica, requestsTo } = await openWorld()
  const presenton = openReplica()
  const { deckId, slides } = await presenton.createBlankDeck({ account: alice, signal })
  const slideId = String(slides[0]?.id)
  const deck = { account: alice, signal, deckId }
  const calls = [
    () => drain(presenton.streamChatTurn({ ...deck, message: 'Hello' })),
    () =>
      presenton.editSlide({
        ...{ ...deck, slideId, slideIndex: 0, instruction: 'Shorter.' },
        conversationId: crypto.randomUUID(),
      }),
    () => presenton.generateImage({ account: alice, signal, prompt: 'a cat' }),
  ]
  for (const call of calls) {
    upstream.dropSessions(alice.name)
    await expect(call()).rejects.toMatchObject({ failure: 'fault' })
    await call()
  }
  expect(requestsTo('/api/v1/ppt/chat/message/stream')).toHaveLength(2)
  expect(upstream.generatedImages).toBe(1)
})

it('verifies a session before a paid call, at most once a minute for all replicas', async () => {
  const { upstream, openReplica, requestsTo, logins } = await openWorld()
  let time = Date.now()
  const now = () => time
  const replicas = [openReplica({}, { now }), openReplica({}, { now })] as const
  const { deckId } = await create(replicas[0], alice)
  const verified = () => requestsTo('/api/v1/auth/verify').length
  const outlines = (one: 0 | 1) =>
    drain(replicas[one].streamOutlines({ account: alice, signal, deckId }))
  await outlines(0)
  await outlines(1)
  expect(verified()).toBe(0)
  const later = async (sql: string) => {
    time += 61_000
    await rows.database.query(sql)
  }
  const age = `update gateway.upstream_accounts set verified_at = now() - interval '61 s'`
  await later(age)
  await Promise.all([outlines(0), outlines(0)])
  await outlines(1)
  expect(verified()).toBe(1)
  await later(age)
  upstream.dropSessions(alice.name)
  const before = logins().length
  // The session has ended: the call is not sent before there is another one.
  await outlines(0)
  expect(logins()).toHaveLength(before + 1)
  expect(requestsTo('/api/v1/ppt/outlines/stream').every(({ status }) => status === 200)).toBe(true)
})

it('queues the logins of 50 users at once, so that none is refused', async () => {
  // As fast as a test needs it; the ratio of the two rates is that of the real ones.
  const { upstream, openReplica, requestsTo } = await openWorld({
    loginLimit: { perMinute: 240, burst: 5 },
  })
  const loginRate = { intervalMs: 258, burst: 4 }
  const replicas = [openReplica({ loginRate }), openReplica({ loginRate })]
  const users = Array.from({ length: 50 }, (_, one) => accountOfUser(`user-${one}`))
  await Promise.all(users.map((user, one) => create(replicas[one % 2] as Presenton, user)))
  expect(upstream.users).toHaveLength(50)
  const statuses = requestsTo('/api/v1/auth/login', 'POST').map(({ status }) => status)
  expect(statuses.filter((status) => status !== 200)).toEqual([])
  expect(upstream.decks.size).toBe(50)
}, 60_000)

it('does not queue logins where nginx has no limit', async () => {
  const { openReplica, requestsTo } = await openWorld()
  const presenton = openReplica({ loginRate: { intervalMs: 3_600_000, burst: 2 } })
  const users = Array.from({ length: 12 }, (_, one) => accountOfUser(`user-${one}`))
  await Promise.all(users.map((user) => create(presenton, user)))
  expect(requestsTo('/api/v1/auth/login', 'POST')).toHaveLength(13)
}, 60_000)

it('waits when others use up the limit of logins', async () => {
  const { upstream, openReplica, logins } = await openWorld()
  const presenton = openReplica({ loginRate: { intervalMs: 50, burst: 2 } })
  await create(presenton, bob)
  upstream.faults.inject('login:429-page', { times: 2 })
  await create(presenton, alice)
  expect(
    logins()
      .map(({ status }) => status)
      .filter((status) => status === 429),
  ).toHaveLength(2)
})

it('says so when the login is of no administrator', async () => {
  const { openReplica, troubles, upstream } = await openWorld()
  await create(openReplica(), alice)
  const asUser = { username: alice.name, password: passwordOf(alice, secret) }
  const presenton = openReplica({}, { credentials: asUser })
  await expect(create(presenton, bob)).rejects.toMatchObject({ failure: 'credentials' })
  expect(troubles).toContain('PRESENTON_USERNAME')
  expect(upstream.users).toHaveLength(1)
})

it('chooses the account by what upstream can do', async () => {
  const { openReplica } = await openWorld()
  expect(await openReplica().accountFor('alice', signal)).toEqual(alice)
  const disabled = openReplica({ isEnabled: false })
  expect(await disabled.accountFor('alice', signal)).toEqual({ kind: 'shared' })
  for (const options of [{ shape: 'T' }, { shape: 'A1' }, { credentials: undefined }] as const) {
    const old = await openWorld(options)
    const presenton = old.openReplica()
    expect(await presenton.accountFor('alice', signal)).toEqual({ kind: 'shared' })
    expect(presenton.lacksUsers()).toBe(true)
  }
})

it('names the missing secret where a deck belongs to the account of a user', async () => {
  const { openReplica, troubles } = await openWorld()
  const { deckId } = await create(openReplica(), alice)
  const without = openReplica({}, { users: undefined })
  await expect(read(without, alice, deckId)).rejects.toMatchObject({ failure: 'credentials' })
  expect(troubles).toContain('PRESENTON_ACCOUNT_SECRET')
})

it('gives the session and the id of an account to callers that pass requests on', async () => {
  const { openReplica, upstream } = await openWorld()
  const presenton = openReplica()
  expect(await presenton.readUpstreamId(alice)).toBeNull()
  const { cookie } = await presenton.readSession({ account: alice, signal })
  expect(cookie).toMatch(/^presenton_session=/)
  expect(await presenton.readUpstreamId(alice)).toBe(upstream.users[0]?.id)
  presenton.discardSession(alice, cookie)
  const next = await presenton.readSession({ account: alice, signal, isPaid: true })
  expect(next.cookie).not.toBe(cookie)
})
