// The one kind of request body: JSON in UTF-8. An empty body counts as none, because many clients send the content type with
// requests that have no body.

import type { FastifyInstance, FastifyRequest } from 'fastify'
import { Problem } from '../domain/problem.ts'

export const maxBodyBytes = 8 * 1024 * 1024

export function readJsonBodies(app: FastifyInstance) {
  // Refuses `__proto__` and `constructor.prototype` keys. Of a key given twice the last one counts, as JSON.parse has it.
  const parse = app.getDefaultJsonParser('error', 'error')
  const decoder = new TextDecoder('utf-8', { fatal: true })

  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body: Buffer, done) => {
    const encoding = request.headers['content-encoding']
    if (encoding !== undefined && encoding !== 'identity') return done(new Problem('UNSUPPORTED_MEDIA_TYPE'))
    if (body.length === 0) return done(null, undefined)
    let text: string
    try {
      text = decoder.decode(body)
    } catch (cause) {
      return done(notJson('must be UTF-8', cause))
    }
    void parse(request, text, (cause, value) => (cause ? done(notJson('must be JSON', cause)) : done(null, value)))
  })
  // Clients that send chunks send an empty one, too, and no type. The first byte of anything else is its last.
  app.addContentTypeParser('*', (_request, body, done) => {
    let isAnswered = false
    function answer(error: Problem | null) {
      if (isAnswered) return
      isAnswered = true
      body.off('data', refuse).resume()
      done(error, undefined)
    }
    const refuse = () => answer(new Problem('UNSUPPORTED_MEDIA_TYPE'))
    body.once('data', refuse)
    body.once('end', () => answer(null))
    body.once('error', (cause: Error) => answer(new Problem('VALIDATION_FAILED', { cause })))
  })
}

function notJson(message: string, cause: unknown) {
  return new Problem('VALIDATION_FAILED', { cause, errors: [{ path: '', message }] })
}

/** For the `preValidation` of a route whose every field is optional: no body is as good as an empty one. */
export async function noBodyIsEmpty(request: FastifyRequest) {
  if (request.body === undefined) request.body = {}
}
