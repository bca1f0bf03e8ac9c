// Handles the messages of one client one after the other: a subscription that waits for the
// database must not be overtaken by the message that ends it.

import type { ClientMessage } from './client-messages.ts'

const maxWaiting = 100

export interface MessageQueueOptions {
  handle: (message: ClientMessage) => Promise<void> | void
  onFailure: (message: ClientMessage, error: unknown) => void
}

export function createMessageQueue({ handle, onFailure }: MessageQueueOptions) {
  const waiting: ClientMessage[] = []
  let isRunning = false

  async function run(): Promise<void> {
    isRunning = true
    for (let message = waiting.shift(); message; message = waiting.shift()) {
      try {
        await handle(message)
      } catch (error) {
        onFailure(message, error)
      }
    }
    isRunning = false
  }

  return {
    /** False when too many messages wait already. */
    add(message: ClientMessage): boolean {
      if (waiting.length >= maxWaiting) return false
      waiting.push(message)
      if (!isRunning) void run()
      return true
    },
    clear: () => void waiting.splice(0),
  }
}
