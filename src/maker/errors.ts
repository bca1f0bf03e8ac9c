// Errors in the form that upstream's interface expects: `detail` from FastAPI, `error` from Next's
// own API, and a small page for a person who opens a document.

import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Problem } from '../domain/problem.ts'
import { asProblem, logProblem, pathOf, problemHeaders } from '../http/problems.ts'
import { linkTo, smallPage } from './pages.ts'
import { isNavigation } from './requests.ts'

export interface MakerErrorsOptions {
  /** Where a visitor signs in; undefined where no such page is known. */
  signIn: (request: FastifyRequest) => string | undefined
}

export function createMakerErrors({ signIn }: MakerErrorsOptions) {
  /** For Fastify's setErrorHandler. */
  return function handleMakerError(error: unknown, request: FastifyRequest, reply: FastifyReply) {
    const problem = asProblem(error, request.body)
    logProblem(request, problem, error)
    if (request.raw.complete) reply.removeHeader('connection')
    reply.headers(headersOf(problem))
    const path = pathOf(request)
    if (path.startsWith('/api/v1/'))
      return reply.code(problem.status).send({ detail: sentenceOf(problem) })
    if (path.startsWith('/api/'))
      return reply.code(problem.status).send({ error: sentenceOf(problem) })
    const isSignIn = path.startsWith('/open/') || isNavigation(request)
    if (problem.code === 'AUTHENTICATION_FAILED' && isSignIn) {
      const url = signIn(request)
      if (url !== undefined) return reply.redirect(url, 303)
    }
    if (!isSignIn) return reply.code(problem.status).send({ detail: sentenceOf(problem) })
    return reply.code(problem.status).type('text/html; charset=utf-8').send(pageOf(problem))
  }
}

function headersOf(problem: Problem) {
  const { 'www-authenticate': _, ...headers } = problemHeaders(problem)
  return { ...headers, 'cache-control': 'private, no-store' }
}

/** Upstream has one text for an error, so it also says where the request is wrong. */
function sentenceOf({ detail, errors = [] }: Problem): string {
  const [first] = errors
  return first ? `${detail} ${[first.path, first.message].filter(Boolean).join(' ')}` : detail
}

function pageOf(problem: Problem): string {
  if (problem.code === 'AUTHENTICATION_FAILED')
    return smallPage({
      title: 'Please sign in',
      text: 'Your session in the slide maker has ended, or there was none. Open the slide maker again from the application. What was saved is still there.',
    })
  return smallPage({
    title: problem.title,
    text: sentenceOf(problem),
    rest: linkTo('/dashboard', 'Your presentations'),
  })
}
