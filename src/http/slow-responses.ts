// Node closes a connection on which nothing moves, also while a handler works on its response. A
// handler that waits for minutes, with deadlines of its own, would be cut off without any answer.

import type { FastifyReply } from 'fastify'
import type { App } from './base.ts'

/** How long handlers may take until their first byte. From then on the idle timeout counts again. */
export function allowSlowResponses(app: App, firstByteMs: number): void {
  app.addHook('preHandler', async ({ raw }, reply) => {
    const extend = () => {
      if (!reply.raw.headersSent) raw.socket.setTimeout(firstByteMs)
    }
    // Until the body has arrived, its sender must not be silent.
    if (raw.complete) extend()
    else raw.once('end', extend)
  })
  app.addHook('onSend', async (_request, reply) => restoreIdleTimeout(reply))
}

/** For a reply that is written without Fastify. */
export function restoreIdleTimeout({ raw, server }: FastifyReply): void {
  raw.socket?.setTimeout(server.server.timeout)
}
