/**
 * What every route gets: the state of the stand-in, and the one exchange it is to answer.
 */

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Accounts } from './accounts.ts'
import type { Deck } from './deck.ts'
import type { Fault } from './faults/fault.ts'
import type { GateControl, GatePoint } from './gates.ts'
import type { Call, Ledger } from './journal.ts'
import type { Operation } from './operation.ts'
import type { Pace } from './pace.ts'
import type { Reply } from './reply.ts'
import type { Features, Shape } from './shape.ts'
import type { Replay } from './traces/replay.ts'

export type World = {
  shape(): Shape
  features(): Features
  pace: Pace
  decks: Map<string, Deck>
  ledger: Ledger
  gates: GateControl
  accounts: Accounts
  appDataDir: string
  replay: Replay | undefined
}

export type Exchange = {
  request: IncomingMessage
  response: ServerResponse
  url: URL
  params: Record<string, string>
  operation: Operation
  call: Call
  /** Aborts when the caller goes away before the answer is whole. */
  signal: AbortSignal
  /**
   * The fault that strikes this exchange, where it does not already answer in the route's stead.
   */
  fault: { effect: Fault; at: number | undefined } | undefined
  /** Breaks the connection from this side. */
  breakOff(): void
  readBody(): Promise<Buffer>
  pass(point: GatePoint): Promise<void>
}

/** A reply to be sent; undefined when the route has written its own answer (a stream, a file). */
export type Act = (world: World, exchange: Exchange) => Promise<Reply | undefined> | Reply

export type Route = {
  method: string
  /** With {names} for single segments; a trailing {rest…} takes all that is left. */
  path: string
  operation: Operation
  act: Act
  /** Which shapes have it; all when absent. */
  when?: (features: Features) => boolean
  /** Needs no login in shapes that have one. */
  open?: boolean
}
