// What the notice on the interface's pages needs: its script, how long the session lasts, and the
// way to a new one.

import type { FastifyRequest } from 'fastify'
import type { App } from '../../http/base.ts'
import { noticePath, noticeScript, noticeState, sessionPath } from '../notice.ts'
import { smallPage } from '../pages.ts'
import type { MakerSession } from '../statements/sessions.ts'

/** For a scope without authentication. */
export function noticeScriptRoutes(
  app: App,
  signIn: (given: { url: string }) => string | undefined,
) {
  app.get(noticePath, async (_request, reply) =>
    reply.type('text/javascript; charset=utf-8').send(noticeScript),
  )
  app.get('/_maker/sign-in', async (request, reply) => {
    const { return_to: returnTo } = request.query as Record<string, unknown>
    const url = signIn({ url: typeof returnTo === 'string' ? returnTo : '/dashboard' })
    if (url !== undefined) return reply.redirect(url, 303)
    const page = smallPage({
      title: 'Please sign in',
      text: 'Open the slide maker again from the application. What was saved is still there.',
    })
    return reply.type('text/html; charset=utf-8').send(page)
  })
}

/** For a scope with a session. */
export function sessionStateRoute(app: App, sessionOf: (request: FastifyRequest) => MakerSession) {
  app.get(sessionPath, async (request) => noticeState(sessionOf(request)))
}
