// The one kind of request body: JSON in UTF-8. An empty body counts as none, because many clients
// send the content type with requests that have no body. It is read when who calls is known and
// counted, while there is room, and parsed when it is its turn.

import type { IncomingMessage } from 'node:http'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { Problem } from '../../domain/problem.ts'
import { callerKey } from '../caller-key.ts'
import { createBodyBudget } from './body-budget.ts'
import { hasPrototypeKeys } from './json-shape.ts'
import { createParseQueue } from './parse-queue.ts'
import { readBody } from './read-body.ts'

export const maxBodyBytes = 8 * 1024 * 1024

export function addJsonParser(app: FastifyInstance) {
  const room = createBodyBudget()
  const turns = createParseQueue()

  app.removeAllContentTypeParsers()
  app.addContentTypeParser(
    'application/json',
    async (request: FastifyRequest, payload: IncomingMessage) => {
      const user = callerKey(request)
      const { 'content-length': announced, 'content-encoding': encoding } = request.headers
      const { bytes, release } = await readBody(payload, {
        announcedBytes: announced === undefined ? undefined : Number(announced),
        limitBytes: request.routeOptions.bodyLimit,
        reserve: (most) => room.take(user, most),
        refusal:
          encoding === undefined || encoding === 'identity'
            ? undefined
            : new Problem('UNSUPPORTED_MEDIA_TYPE'),
      })
      try {
        if (bytes.length === 0) return undefined
        return await turns.run({ user, bytes: bytes.length }, () => parseJson(bytes))
      } finally {
        release()
      }
    },
  )
  // Clients that send chunks send an empty one, too, and no type. The first byte of anything else
  // is its last.
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

const decoder = new TextDecoder('utf-8', { fatal: true })

/** Of a key given twice the last one counts, as JSON.parse has it. */
function parseJson(bytes: Buffer): unknown {
  let text: string
  try {
    text = decoder.decode(bytes)
  } catch (cause) {
    throw refused('must be UTF-8', cause)
  }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw refused('must be JSON', cause)
  }
  if (hasPrototypeKeys(value))
    throw refused(
      'must not have keys that reach for a prototype (__proto__, constructor.prototype)',
    )
  return value
}

function refused(message: string, cause?: unknown) {
  return new Problem('VALIDATION_FAILED', { cause, errors: [{ path: '', message }] })
}

/**
 * For the `preValidation` of a route whose every field is optional: no body is as good as an empty
 * one.
 */
export async function defaultToEmptyBody(request: FastifyRequest) {
  if (request.body === undefined) request.body = {}
}
