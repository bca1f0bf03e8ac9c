/**
 * What every route gets: the state of the stand-in and the exchange that it handles.
 */

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Accounts, User } from './accounts.ts'
import type { Deck } from './deck.ts'
import type { Fault } from './faults/fault.ts'
import type { GateControl, GatePoint } from './gates.ts'
import type { JournalEntry, SpendCounter } from './journal.ts'
import type { Operation } from './operation.ts'
import type { Pace } from './pace.ts'
import type { Reply } from './reply.ts'
import type { Features } from './shape.ts'
import type { Replay } from './traces/replay.ts'

export type Conversation = {
  deckId: string
  preview: string
  updatedAt: string
  messages: { role: 'user' | 'assistant'; content: string; created_at: string }[]
}

export type StoredImage = {
  id: string
  userId: string
  isUploaded: boolean
  createdAt: string
  type: string
  bytes: Buffer
  prompt?: string
}

export type StandInState = {
  features(): Features
  pace: Pace
  decks: Map<string, Deck>
  /** Uploads by their path. They do not survive a restart. */
  tempFiles: Map<string, { type: string; bytes: Buffer }>
  /** Images that were uploaded or generated, by their path below /app_data. */
  images: Map<string, StoredImage>
  /** Of the chat, by their id. */
  conversations: Map<string, Conversation>
  spendCounter: SpendCounter
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
  /** Who sends it: the admin where no login is needed. */
  user: User
  operation: Operation
  journalEntry: JournalEntry
  /** Aborts when the client disconnects before the response is complete. */
  signal: AbortSignal
  /** The fault for this exchange, unless it replaces the route. */
  fault: { effect: Fault; at: number | undefined } | undefined
  destroyConnection(): void
  readBody(): Promise<Buffer>
  passGate(point: GatePoint): Promise<void>
}

/** Returns the reply to send; undefined when it has written the response itself (stream, file). */
export type RouteHandler = (
  state: StandInState,
  exchange: Exchange,
) => Promise<Reply | undefined> | Reply

export type Route = {
  method: string
  /** With {names} for single segments; a trailing {rest…} matches all that follow. */
  path: string
  operation: Operation
  handle: RouteHandler
  /** Which shapes have the route; all by default. */
  isAvailable?: (features: Features) => boolean
  /** Needs no login, in shapes that have one. */
  isPublic?: boolean
}
