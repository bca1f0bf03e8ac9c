// The API's side of the entry: links that open the maker once, and the sessions of a user.

import type { MakerEntry } from '../database/schema/users.ts'
import { Problem } from '../domain/problem.ts'
import type { Caller } from '../http/tokens.ts'
import { parseReturnTo } from './return-to.ts'

export interface MakerLinksOptions {
  /** Undefined where the maker is switched off. */
  makerUrl: (() => string) | undefined
  /** Whether the version has one; undefined while it is not known. */
  isSupported: () => boolean | undefined
  findPresentation: (own: {
    userId: string
    id: string
  }) => Promise<{ deckId: string | null; hasMaker: boolean } | undefined>
  issueTicket: (request: {
    userId: string
    purpose: 'maker'
    presentationId: null
    tokenExpiresAt: Date
    entry: MakerEntry
  }) => Promise<string | undefined>
}

export type MakerLinks = ReturnType<typeof createMakerLinks>

export function createMakerLinks(options: MakerLinksOptions) {
  const { findPresentation, issueTicket } = options

  /** @throws Problem NOT_SUPPORTED */
  function readUrl(): string {
    const { makerUrl, isSupported } = options
    if (!makerUrl || isSupported() === false) throw new Problem('NOT_SUPPORTED')
    return makerUrl()
  }

  async function link({ userId, expiresAt, name }: Caller, returnTo: string) {
    const url = readUrl()
    const ticket = await issueTicket({
      userId,
      purpose: 'maker',
      presentationId: null,
      tokenExpiresAt: expiresAt,
      entry: { returnTo, userName: name ?? null },
    })
    if (ticket === undefined) throw new Problem('NOT_FOUND')
    return `${url}/_enter?ticket=${ticket}`
  }

  return {
    /** @throws Problem NOT_FOUND, NOT_READY (no deck yet), NOT_SUPPORTED */
    async toPresentation(caller: Caller, id: string): Promise<string> {
      const found = await findPresentation({ userId: caller.userId, id })
      if (!found) throw new Problem('NOT_FOUND')
      readUrl()
      if (found.deckId === null) throw new Problem('NOT_READY')
      if (!found.hasMaker) throw new Problem('NOT_SUPPORTED')
      return link(caller, `/open/${id}`)
    },

    /** @throws Problem VALIDATION_FAILED, NOT_SUPPORTED */
    async toPage(caller: Caller, returnTo = '/dashboard'): Promise<string> {
      const parsed = parseReturnTo(returnTo, readUrl())
      if (parsed === undefined) {
        const message = 'must be /dashboard, /upload, /open/{id} or /presentation?id='
        throw new Problem('VALIDATION_FAILED', { errors: [{ path: '/return_to', message }] })
      }
      return link(caller, parsed)
    },
  }
}
