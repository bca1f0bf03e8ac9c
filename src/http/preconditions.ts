// Preconditions of requests (RFC 9110, section 13): the entity tag of a revision, and If-Match.

import type { FastifyRequest } from 'fastify'
import Type from 'typebox'
import { Problem } from '../domain/problem.ts'

/** The entity tag of a revision: strong, the number in quotes. */
export const etagOf = (revision: number): string => `"${revision}"`

/** Whether a revision fulfils the precondition. */
export type IfMatch = (revision: number) => boolean

const entityTag = /^(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"$/
const maxChars = 1_000

/**
 * The precondition of the request; undefined without If-Match. The comparison is strong, so a weak
 * tag (`W/"3"`) is valid but never matches.
 *
 * @throws Problem VALIDATION_FAILED
 */
export function readIfMatch({ headers }: Pick<FastifyRequest, 'headers'>): IfMatch | undefined {
  const header = headers['if-match']
  if (header === undefined) return undefined
  const value = header.trim()
  if (value === '*') return () => true
  // An entity tag of ours has no comma, so one with a comma can be split without harm.
  const tags = value.split(',').map((tag) => tag.trim())
  if (value.length > maxChars || !tags.every((tag) => entityTag.test(tag))) {
    const message = 'must be *, or entity tags such as "3"'
    throw new Problem('VALIDATION_FAILED', { errors: [{ path: 'If-Match', message }] })
  }
  return (revision) => tags.includes(etagOf(revision))
}

/** For OpenAPI; `readIfMatch` checks the header. */
export const ifMatchHeaders = Type.Object({
  'if-match': Type.Optional(
    Type.String({
      description:
        'The change is made only if the deck has this revision, such as `"3"`; `*` is any.',
      examples: ['"3"'],
    }),
  ),
})
