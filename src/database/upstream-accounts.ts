// The accounts of users in Presenton, shared by all replicas: their sessions, the right to log in
// (one replica at a time, while it renews it), and the queue of all logins.

import type { Queryable } from './connection.ts'

export interface StoredAccount {
  upstreamId: string | null
  /** Encrypted. */
  session: string | null
  /** How long ago Presenton accepted the session; null when it never did. */
  verifiedMs: number | null
  /** For how long no login is possible; 0 when one is. */
  blockedMs: number
}

export type AccountStore = ReturnType<typeof createAccountStore>

const rest = `upstream_id as "upstreamId", session,
  extract(epoch from clock_timestamp() - verified_at)::float8 * 1000 as "verifiedMs",
  greatest(0, coalesce(extract(epoch from blocked_until - clock_timestamp()), 0))::float8 * 1000
    as "blockedMs"`

/** After a refused login, longer for each in a row: Presenton counts five within 300 s. */
const blockedSeconds = `(case refusals when 0 then 60 when 1 then 120 else 300 end)`

export function createAccountStore(database: Queryable) {
  async function readOne(text: string, values: unknown[]): Promise<StoredAccount | undefined> {
    return (await database.query<StoredAccount>(text, values))[0]
  }

  return {
    read: (name: string) =>
      readOne(`select ${rest} from gateway.upstream_accounts where name = $1`, [name]),

    /**
     * Takes the right to log in, for `seconds`. Undefined while another login has it.
     */
    takeLogin: ({ name, userId, token, seconds }: LoginRight & { userId: string }) =>
      readOne(
        `insert into gateway.upstream_accounts as a (name, user_id, login_token, login_until)
         values ($1, $2, $3, clock_timestamp() + $4 * interval '1 second')
         on conflict (name) do update
           set login_token = excluded.login_token, login_until = excluded.login_until
           where a.login_until is null or a.login_until < clock_timestamp()
         returning ${rest}`,
        [name, userId, token, seconds],
      ),

    /** False when another login has taken over the right. */
    async keepLogin({ name, token, seconds }: LoginRight): Promise<boolean> {
      const rows = await database.query(
        `update gateway.upstream_accounts
         set login_until = clock_timestamp() + $3 * interval '1 second'
         where name = $1 and login_token = $2 returning 1`,
        [name, token, seconds],
      )
      return rows.length > 0
    },

    /** Stores the session of a login, unless another one has taken over. */
    async finishLogin(login: {
      name: string
      token: string
      session: string
      upstreamId: string | null
    }): Promise<void> {
      await database.query(
        `update gateway.upstream_accounts
         set session = $3, upstream_id = coalesce($4, upstream_id), verified_at = clock_timestamp(),
           blocked_until = null, refusals = 0, login_token = null, login_until = null
         where name = $1 and login_token = $2`,
        [login.name, login.token, login.session, login.upstreamId],
      )
    },

    /** Gives the right back without a session. `isRefused`: the next login has to wait. */
    async abandonLogin(login: { name: string; token: string; isRefused: boolean }): Promise<void> {
      await database.query(
        `update gateway.upstream_accounts
         set login_token = null, login_until = null,
           blocked_until = case when $3 then
             clock_timestamp() + ${blockedSeconds} * interval '1 second' else blocked_until end,
           refusals = refusals + case when $3 then 1 else 0 end
         where name = $1 and login_token = $2`,
        [login.name, login.token, login.isRefused],
      )
    },

    /** Presenton has accepted this very session. */
    async noteVerified({ name, session }: { name: string; session: string }): Promise<void> {
      await database.query(
        `update gateway.upstream_accounts set verified_at = clock_timestamp()
         where name = $1 and session = $2`,
        [name, session],
      )
    },

    /**
     * Takes the next place in the queue of logins: how long to wait for it, and whether Presenton
     * is known to limit logins. Without a limit there is no queue.
     */
    async takeLoginPlace({ intervalMs, burst }: LoginRate): Promise<LoginPlace> {
      const [row] = await database.query<LoginPlace>(
        `insert into gateway.upstream_logins as l (id, busy_until)
         values (1, clock_timestamp() + $1 * interval '1 ms')
         on conflict (id) do update set busy_until =
           case when l.unlimited_until > clock_timestamp() then clock_timestamp()
           else greatest(l.busy_until, clock_timestamp()) + $1 * interval '1 ms' end
         returning
           greatest(0, extract(epoch from busy_until - clock_timestamp()) * 1000
             - $1::float8 * ($2::float8 + 1))::float8 as "waitMs",
           coalesce(unlimited_until > clock_timestamp(), false) as "isUnlimited",
           coalesce(limited_until > clock_timestamp(), false) as "isLimited"`,
        [intervalMs, burst],
      )
      if (!row) throw new Error('The queue of logins has no row.')
      return row
    },

    /** What is known for `seconds`; `usedPlaces` were used to find it out. */
    async noteLoginLimit(found: {
      isLimited: boolean
      seconds: number
      usedMs: number
    }): Promise<void> {
      await database.query(
        `update gateway.upstream_logins
         set limited_until = case when $1 then clock_timestamp() + $2 * interval '1 second' end,
           unlimited_until = case when $1 then null
             else clock_timestamp() + $2 * interval '1 second' end,
           busy_until = case when $1
             then greatest(busy_until, clock_timestamp()) + $3 * interval '1 ms'
             else clock_timestamp() end
         where id = 1`,
        [found.isLimited, found.seconds, found.usedMs],
      )
    },
  }
}

interface LoginRight {
  name: string
  token: string
  seconds: number
}

export interface LoginRate {
  /** Between two logins. */
  intervalMs: number
  /** How many may come at once before the others. */
  burst: number
}

export interface LoginPlace {
  waitMs: number
  isUnlimited: boolean
  isLimited: boolean
}
