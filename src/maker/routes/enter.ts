// Entry: a ticket becomes a session of this browser, once, and only when a person opens it.

import type { FastifyReply, FastifyRequest } from 'fastify'
import { Problem } from '../../domain/problem.ts'
import type { App } from '../../http/base.ts'
import { sessionCookie } from '../cookies.ts'
import { confirmPage, smallPage } from '../pages.ts'
import { checkSameOrigin, isShown } from '../requests.ts'
import type { MakerSession, NewSession } from '../statements/sessions.ts'

export interface TicketUser {
  userId: string
  expiresAt: Date
  entry?: { returnTo: string; userName: string | null }
}

export interface Enter {
  makerUrl: () => string
  mayBeFramed: boolean
  /** The session of the request's cookie. */
  findSession: (request: FastifyRequest) => Promise<MakerSession | undefined>
  /** Whose ticket it is; leaves it unused. */
  findTicketUser: (ticket: string) => Promise<string | undefined>
  /** Uses the ticket up. */
  redeemTicket: (ticket: string) => Promise<TicketUser | undefined>
  openSession: (session: NewSession) => Promise<string>
}

const maxFormBytes = 4096

export function enterRoutes(app: App, options: Enter) {
  const { makerUrl, mayBeFramed, findSession, findTicketUser, redeemTicket, openSession } = options

  async function enter(reply: FastifyReply, ticket: string, replaced: MakerSession | undefined) {
    const used = await redeemTicket(ticket)
    if (!used) return refuse(reply)
    const { userId, expiresAt, entry } = used
    const userName = entry?.userName ?? null
    const id = await openSession({ userId, userName, expiresAt, replaced: replaced?.hash })
    return reply
      .header('set-cookie', sessionCookie(makerUrl(), id))
      .redirect(entry?.returnTo ?? '/dashboard', 303)
  }

  app.get('/_enter', async (request, reply) => {
    if (!isShown(request, { mayBeFramed })) throw new Problem('PERMISSION_DENIED')
    const { ticket } = request.query as Record<string, unknown>
    if (typeof ticket !== 'string') return refuse(reply)
    const session = await findSession(request)
    if (!session) return enter(reply, ticket, undefined)
    const userId = await findTicketUser(ticket)
    if (userId === undefined) return refuse(reply)
    // A planted link must not sign a person in as another user.
    if (userId !== session.userId) return sendPage(reply, 200, confirmPage(ticket))
    return enter(reply, ticket, session)
  })

  app.register(async (scope: App) => {
    scope.addContentTypeParser(
      'application/x-www-form-urlencoded',
      { parseAs: 'string', bodyLimit: maxFormBytes },
      async (_request: FastifyRequest, form: string) => new URLSearchParams(form),
    )
    scope.post('/_enter', async (request, reply) => {
      checkSameOrigin(request, makerUrl())
      const form = request.body instanceof URLSearchParams ? request.body : new URLSearchParams()
      return enter(reply, form.get('ticket') ?? '', await findSession(request))
    })
  })
}

function refuse(reply: FastifyReply) {
  const page = smallPage({
    title: 'This link has expired',
    text: 'A link into the slide maker works once, and for a minute. Open the slide maker again from the application.',
  })
  return sendPage(reply, 401, page)
}

function sendPage(reply: FastifyReply, status: number, page: string) {
  return reply.code(status).type('text/html; charset=utf-8').send(page)
}
