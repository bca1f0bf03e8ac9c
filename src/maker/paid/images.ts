// GET /images/generate: an image by prompt. Each costs one unit of the quota of edits, and none is
// requested twice.

import type { Database } from '../../database/connection.ts'
import { returnEdit, takeEdit } from '../../database/edit-quota.ts'
import { Problem } from '../../domain/problem.ts'
import { hasText } from '../../presentations/read-brief.ts'
import { lockAdmission } from '../../presentations/statements/insert.ts'
import type { Presenton } from '../../presenton/client.ts'
import type { ResponseCause } from '../../presenton/failures.ts'
import type { Exchange } from '../exchange.ts'

export interface GenerateImage {
  database: Pick<Database, 'query' | 'transaction'>
  presenton: Pick<Presenton, 'generateImage' | 'state'>
  /** Per user; 0 means unlimited. */
  editsPerDay: number
}

const maxPromptChars = 4_000

export function createGenerateImage({ database, presenton, editsPerDay }: GenerateImage) {
  const take = (userId: string) =>
    database.transaction(async (client) => {
      await client.query(lockAdmission)
      return takeEdit(client, userId, editsPerDay)
    })

  /** @throws Problem VALIDATION_FAILED, QUOTA_EXCEEDED, UPSTREAM_… */
  return async function generateImage({ owner, account, query, reply }: Exchange) {
    const { prompt = '' } = query
    if (!hasText(prompt) || prompt.length > maxPromptChars)
      throw new Problem('VALIDATION_FAILED', {
        errors: [
          { path: 'prompt', message: `must be a text of up to ${maxPromptChars} characters` },
        ],
      })
    if (presenton.state().breaker === 'open') throw new Problem('UPSTREAM_UNAVAILABLE')
    const useId = await take(owner)
    // The image is paid for, so it is kept although the tab has closed.
    const { signal } = new AbortController()
    const path = await presenton
      .generateImage({ account, signal, prompt: prompt.toWellFormed() })
      .catch(async (error: unknown) => {
        if (wasNeverAsked(error)) await returnEdit(database, useId)
        throw error
      })
    // Fastify would send a string as it is, and not as JSON.
    return reply.type('application/json').send(JSON.stringify(path))
  }
}

/** Upstream was not reached, or did not accept our credentials. */
function wasNeverAsked(error: unknown): boolean {
  if (!(error instanceof Problem)) return false
  const { status } = (error.cause ?? {}) as Partial<ResponseCause>
  return status === undefined && ['outage', 'credentials'].includes(error.failure ?? '')
}
