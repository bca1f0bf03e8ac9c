// POST /realtime/ticket: a credential that opens one real-time connection, for pages that can send
// neither header nor cookie. The connection ends with the caller's token.

import Type from 'typebox'
import type { App } from '../../http/base.ts'
import { jsonResponse, problemResponsesOfWrite } from '../../http/schemas.ts'

export interface IssueRealtimeTicket {
  issueRealtimeTicket: (request: {
    userId: string
    tokenExpiresAt: Date
  }) => Promise<{ ticket: string; expiresInSeconds: number }>
}

export function issueRealtimeTicketRoute(app: App, { issueRealtimeTicket }: IssueRealtimeTicket) {
  const schema = {
    operationId: 'issueRealtimeTicket',
    tags: ['realtime'],
    summary: 'Get a ticket that opens one real-time connection',
    description: 'Send it as `?ticket=` to a WebSocket or to its SSE twin. Each ticket works once.',
    response: {
      200: jsonResponse(
        Type.Object({
          ticket: Type.String(),
          expires_in: Type.Integer({ minimum: 1, description: 'Lifetime in seconds.' }),
        }),
        {
          description: 'The ticket.',
          example: { ticket: 'W8Nf0pIhQx1u2yq5R7s9tA', expires_in: 60 },
        },
      ),
      ...problemResponsesOfWrite(),
    },
  }

  app.post('/realtime/ticket', { schema }, async (request) => {
    const { userId, expiresAt } = request.caller
    const { ticket, expiresInSeconds } = await issueRealtimeTicket({
      userId,
      tokenExpiresAt: expiresAt,
    })
    return { ticket, expires_in: expiresInSeconds }
  })
}
