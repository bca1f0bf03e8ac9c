// POST /presentations/{id}/ticket: a credential that opens the event stream once, for pages whose
// EventSource can send neither header nor cookie. The stream ends with the caller's token.

import Type from 'typebox'
import { Problem } from '../../domain/problem.ts'
import { ticketSeconds } from '../../domain/ticket-purposes.ts'
import type { App } from '../../http/base.ts'
import { idParams, jsonResponse, problemResponsesOfWrite } from '../../http/schemas.ts'
import type { TicketRequest } from '../statements.ts'

export interface IssueTicket {
  /** Undefined when the presentation is not this user's. */
  issueTicket: (request: TicketRequest) => Promise<string | undefined>
}

export function issueTicketRoute(app: App, { issueTicket }: IssueTicket) {
  const schema = {
    operationId: 'issueTicket',
    tags: ['presentations'],
    summary: 'Get a ticket that opens the event stream once',
    description: 'Send it as `?ticket=`, with `&last_event_id=` to resume. Each ticket works once.',
    params: idParams,
    response: {
      200: jsonResponse(
        Type.Object({
          ticket: Type.String(),
          expires_in: Type.Integer({
            minimum: 1,
            description: 'Lifetime in seconds.',
          }),
        }),
        {
          description: 'The ticket.',
          example: { ticket: 'q7Yb0yXv1mW2cQ0rT5uJ8w', expires_in: 60 },
        },
      ),
      ...problemResponsesOfWrite('NOT_FOUND'),
    },
  }

  app.post('/presentations/:id/ticket', { schema }, async (request) => {
    const { userId, expiresAt } = request.caller
    const ticket = await issueTicket({
      userId,
      purpose: 'events',
      presentationId: request.params.id,
      tokenExpiresAt: expiresAt,
    })
    if (ticket === undefined) throw new Problem('NOT_FOUND')
    return { ticket, expires_in: ticketSeconds }
  })
}
