/**
 * A stand-in for Presenton, for development and tests: a small HTTP server that speaks upstream's
 * contract in each of its shapes and writes real PPTX and PDF files. It has no model: every text of
 * a deck is taken from the summary.
 *
 * Tests drive it: gates stop it at named points, faults make it fail by name, the journal and the
 * ledger tell what was asked and paid.
 */

import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Credentials, createAccounts } from './accounts.ts'
import { answer } from './answer.ts'
import type { Deck } from './deck.ts'
import { createFaults } from './faults/control.ts'
import { createGates } from './gates.ts'
import { type Call, createLedger } from './journal.ts'
import { type Pace, paces } from './pace.ts'
import { page } from './reply.ts'
import { featuresOf, type Shape } from './shape.ts'
import { openReplay, type Recording, recordedShape } from './traces/replay.ts'
import type { World } from './world.ts'

// biome-ignore-start lint/performance/noBarrelFile: tests and the sandbox come in by this door only.
export type { Deck, Outline, Slide } from './deck.ts'
export {
  type FaultControl,
  type FaultName,
  type FaultOptions,
  faultNames,
} from './faults/control.ts'
export type { GateControl, GatePoint } from './gates.ts'
export type { Call, Spend } from './journal.ts'
export { type Pace, paces } from './pace.ts'
export { type Shape, shapes } from './shape.ts'
export type { Recording } from './traces/replay.ts'
// biome-ignore-end lint/performance/noBarrelFile: as above.

export type StandInOptions = {
  /** The recording's when one is replayed, else B1. */
  shape?: Shape
  /** 0: any free one. */
  port?: number
  host?: string
  pace?: Pace
  /** The admin's. Absent: login is disabled, as DISABLE_AUTH does. A has none in any case. */
  credentials?: Credentials | undefined
  /** Login is wanted, but nobody has set it up yet. */
  unconfigured?: boolean
  /** `sk-presenton-…`, for B. */
  apiKeys?: readonly string[]
  /** A temporary one, removed by close(), when absent. */
  appDataDir?: string
  /** Answers with recorded bytes; the deck has the recorded id, so one deck at a time. */
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
  } = options
  let shape = options.shape ?? (options.replay ? recordedShape[options.replay] : 'B1')
  const ownDir = options.appDataDir === undefined
  const appDataDir = options.appDataDir ?? (await mkdtemp(join(tmpdir(), 'presenton-stand-in-')))
  const decks = new Map<string, Deck>()
  const journal: Call[] = []
  const gates = createGates()
  const ledger = createLedger()
  const world: World = {
    shape: () => shape,
    features: () => featuresOf[shape],
    pace,
    decks,
    ledger,
    gates,
    accounts: createAccounts({ credentials, apiKeys, unconfigured }),
    appDataDir,
    replay: options.replay && openReplay(options.replay),
  }

  const busy = new Set<Promise<void>>()
  const server = createServer((request, response) => {
    const work = answer({ world, faults, journal }, request, response).finally(() =>
      busy.delete(work),
    )
    busy.add(work)
  })
  // A path that was not percent-encoded, for one: nginx says 400 in HTML.
  server.on('clientError', (_, socket) => {
    const { body } = page(400)
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
    if (!server.listening) await listen(port)
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
    spend: ledger.spend,
    spendOf: ledger.spendOf,
    decks: decks as ReadonlyMap<string, Deck>,
    /**
     * How many requests are not answered yet, or still being worked on after their caller has left.
     */
    get openRequests() {
      return busy.size
    },
    faults,
    gates,
    /** An upgrade, or a step back, under whoever is connected. */
    setShape(next: Shape): void {
      shape = next
    },
    /** Cookies and session tokens given so far are worth nothing. */
    dropSessions: () => world.accounts.dropSessions(),
    /**
     * Opens all gates, breaks all connections, waits for what is still being written, removes what
     * it made.
     */
    async close(): Promise<void> {
      gates.releaseAll()
      await down()
      await Promise.allSettled(busy)
      if (ownDir) await rm(appDataDir, { recursive: true, force: true })
    },
  }
}
