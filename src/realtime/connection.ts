// A real-time connection as the rest of the gateway sees it, whether it is a WebSocket or an event
// stream: it takes encoded messages, says whether its client keeps up, and ends for a reason.

import type { ClientMessage } from './client-messages.ts'

export type CloseReason =
  | 'policy'
  | 'shutdown'
  | 'too-slow'
  | 'token-ended'
  | 'deleted'
  /** Nothing more will come. */
  | 'finished'

export interface Connection {
  readonly id: string
  readonly userId: string
  /** Sends a message unless the connection ends. `eventId` becomes the id of an SSE event. */
  send(message: Buffer, eventId?: string): void
  /** Little is unsent. What can be replaced or read later waits for `onReady`. */
  isReady(): boolean
  isOpen(): boolean
  close(reason: CloseReason): void
  /** Called every second: pings or heartbeats, the end of the token, dead clients. */
  tick(time: Time): void
}

export interface Time {
  /** By a clock that is never set. */
  nowMs: number
  /** By the clock of the machine, since the epoch. */
  dateMs: number
}

/** What is sent over a connection, and what happens to the client's messages. */
export interface Session {
  /** Everything was sent, after `isReady` was false. */
  onReady(): void
  /**
   * Messages of one connection come one after the other. A rejection becomes an `error` message.
   */
  onMessage(message: ClientMessage): Promise<void> | void
  onClose(): void
}

export type OpenSession = (connection: Connection) => Session

export interface ConnectionOptions {
  userId: string
  /** When the token of the connection ends, in ms since the epoch. */
  expiresAtMs: number
  /** Starts the session; it may send at once. */
  openSession: OpenSession
  onClose: (connection: Connection) => void
  /** A clock that is never set, in ms. */
  now: () => number
}
