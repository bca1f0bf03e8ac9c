/**
 * A stand-in for Presenton, for development and tests: a small HTTP server that implements
 * upstream's API in each of its shapes and writes real PPTX and PDF files. It has no model: all
 * texts of a deck come from the summary.
 *
 * Tests control it: gates stop it at named points, faults make it fail, and the journal and the
 * spend counters show what was requested and paid for.
 */

import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Credentials, createAccounts, type LoginLimit, type User } from './accounts.ts'
import type { Deck } from './deck.ts'
import { createFaults } from './faults/control.ts'
import { createGates } from './gates.ts'
import { handleRequest } from './handle-request.ts'
import { createSpendCounter, type JournalEntry } from './journal.ts'
import { type Pace, paces } from './pace.ts'
import { nginxPage } from './reply.ts'
import { featuresOf, type Shape } from './shape.ts'
import type { StandInState } from './state.ts'
import { openReplay, type Recording, recordedShape } from './traces/replay.ts'

// biome-ignore-start lint/performance/noBarrelFile: the only entry point for tests and the sandbox.
export {
  type FaultName,
  type FaultOptions,
  faultNames,
} from './faults/control.ts'
export type { GatePoint } from './gates.ts'
export type { Spend } from './journal.ts'
export { type Pace, paces } from './pace.ts'
export { type Shape, shapes } from './shape.ts'
export type { Recording } from './traces/replay.ts'
// biome-ignore-end lint/performance/noBarrelFile: as above.

export type StandInOptions = {
  /** By default the shape of the replayed recording, else B1. */
  shape?: Shape
  /** By default 0: any free port. */
  port?: number
  host?: string
  pace?: Pace
  /** Of the admin. Without them login is disabled, as with DISABLE_AUTH. A1 has no login at all. */
  credentials?: Credentials | undefined
  /** nginx's limit of logins where there are users; by default 10 a minute and a burst of 5. */
  loginLimit?: LoginLimit | null
  /** Login is required, but no account exists yet. */
  unconfigured?: boolean
  /** A cookie that every response sets, except for a login's own. */
  cookie?: string
  /** `sk-presenton-…`, for B1 and B2. */
  apiKeys?: readonly string[]
  /** By default a temporary directory, which close() removes. */
  appDataDir?: string
  /** Responds with recorded bytes. Every deck gets the recorded id: use one deck at a time. */
  replay?: Recording
}

export type StandIn = Awaited<ReturnType<typeof openStandIn>>

export async function openStandIn(options: StandInOptions = {}) {
  const {
    host = '127.0.0.1',
    pace = paces.fast,
    credentials,
    unconfigured = false,
    apiKeys = [],
    loginLimit = { perMinute: 10, burst: 5 },
  } = options
  let shape = options.shape ?? (options.replay ? recordedShape[options.replay] : 'B1')
  const isOwnDir = options.appDataDir === undefined
  const appDataDir = options.appDataDir ?? (await mkdtemp(join(tmpdir(), 'presenton-stand-in-')))
  const decks = new Map<string, Deck>()
  const conversations: StandInState['conversations'] = new Map()
  const journal: JournalEntry[] = []
  const gates = createGates()
  const spendCounter = createSpendCounter()
  const state: StandInState = {
    features: () => featuresOf[shape],
    pace,
    decks,
    tempFiles: new Map(),
    images: new Map(),
    conversations,
    spendCounter,
    gates,
    accounts: createAccounts({
      credentials,
      apiKeys,
      unconfigured,
      loginLimit: loginLimit ?? undefined,
    }),
    appDataDir,
    replay: options.replay && openReplay(options.replay),
  }

  const running = new Set<Promise<void>>()
  const server = createServer((request, response) => {
    if (options.cookie !== undefined) response.setHeader('set-cookie', options.cookie)
    const work = handleRequest({ state, faults, journal }, request, response).finally(() =>
      running.delete(work),
    )
    running.add(work)
  })
  // For example a path that is not percent-encoded: nginx responds 400 in HTML.
  server.on('clientError', (_, socket) => {
    const { body } = nginxPage(400)
    if (socket.writable)
      socket.end(
        `HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\nContent-Length: ${body?.length}\r\nConnection: close\r\n\r\n${body}`,
      )
  })

  const listen = (port: number) =>
    new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(port, host, () => {
        server.off('error', reject)
        resolve()
      })
    })
  const down = async () => {
    if (!server.listening) return
    const closed = new Promise<void>((resolve) => server.close(() => resolve()))
    server.closeAllConnections()
    await closed
  }

  await listen(options.port ?? 0)
  const { port } = server.address() as AddressInfo
  const up = async () => {
    if (server.listening) return
    state.tempFiles.clear()
    await listen(port)
  }
  const faults = createFaults({ down, up })

  return {
    url: `http://${host}:${port}`,
    port,
    get shape() {
      return shape
    },
    appDataDir,
    journal,
    spend: spendCounter.spend,
    spendOf: spendCounter.spendOf,
    /** How many edits by prompt started, finished or not. */
    get edits() {
      return spendCounter.edits()
    },
    /** How many images were generated. */
    get generatedImages() {
      return spendCounter.images()
    },
    conversations: conversations as StandInState['conversations'],
    /** Images of all users, by their path. A test may add others. */
    images: state.images,
    decks: decks as ReadonlyMap<string, Deck>,
    /** Requests without a complete response, and work that goes on after a client disconnected. */
    get openRequests() {
      return running.size
    },
    faults,
    gates,
    /** Closes every connection and starts again: decks stay, uploads are gone. */
    async restart(): Promise<void> {
      await down()
      await up()
    },
    /** What a restart does to uploads, without one. */
    wipeUploads: () => state.tempFiles.clear(),
    /** Upgrades or downgrades Presenton while clients are connected. */
    setShape(next: Shape): void {
      shape = next
    },
    /** Invalidates all session cookies and tokens, or those of one user. */
    dropSessions: (username?: string) => state.accounts.dropSessions(username),
    /** All accounts but the admin's. */
    get users(): readonly Readonly<User>[] {
      return state.accounts.list().filter(({ role }) => role === 'user')
    },
    /** An operator gives a user another password, or removes the account. */
    changeUser(username: string, change: { password: string } | 'remove'): void {
      const user = state.accounts.list().find((one) => one.username === username)
      if (!user) throw new Error('There is no such user.')
      if (change === 'remove') state.accounts.remove(user)
      else state.accounts.setPassword(user, change.password)
    },
    /** An operator changes the admin's password, or takes the account away. */
    setAdmin: (next: Credentials | undefined) => state.accounts.setAdmin(next),
    /** An API key ends after its time, or is revoked. */
    revokeKey: (key: string): boolean => state.accounts.keys.delete(key),
    /** The same key is accepted again. */
    restoreKey: (key: string) => void state.accounts.keys.set(key, new Date().toISOString()),
    /** Opens all gates, closes all connections, waits for running work, removes its directory. */
    async close(): Promise<void> {
      gates.releaseAll()
      await down()
      await Promise.allSettled(running)
      if (isOwnDir) await rm(appDataDir, { recursive: true, force: true })
    },
  }
}
