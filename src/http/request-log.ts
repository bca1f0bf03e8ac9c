// One log line for each request, when its response ends or its client disconnects. The query is
// left out, because it may hold a ticket.

import { AsyncResource } from 'node:async_hooks'
import type { FastifyInstance } from 'fastify'
import { pathOf } from './problems.ts'

export interface CompletedRequest {
  method: string
  /** The route's pattern, or 'unknown'; paths themselves hold ids. */
  route: string
  status: number
  seconds: number
}

/** nginx's status for a client that disconnected before the response. */
const clientClosedRequest = 499

export function logCompletedRequests(
  app: FastifyInstance,
  onRequestCompleted?: (completed: CompletedRequest) => void,
) {
  app.addHook('onRequest', async (request, reply) => {
    function report() {
      const { method, routeOptions } = request
      const route = routeOptions.url ?? 'unknown'
      // An upgraded connection is no longer a response.
      const isUpgraded = reply.raw.statusCode === 101
      const aborted = !isUpgraded && !reply.raw.writableFinished
      // Before the headers are sent, `statusCode` has its default, 200.
      const status = aborted && !reply.raw.headersSent ? clientClosedRequest : reply.raw.statusCode
      onRequestCompleted?.({ method, route, status, seconds: reply.elapsedTime / 1000 })
      const ms = Math.round(reply.elapsedTime)
      request.log.info(
        { method, route, path: pathOf(request), status, ms, ...(aborted && { aborted }) },
        'request',
      )
    }
    // The line bears the ids of the request's span, which is active here and not at the end.
    reply.raw.once('close', request.span ? AsyncResource.bind(report) : report)
  })
}
