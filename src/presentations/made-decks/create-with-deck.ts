// Presentations that start with a deck: upstream's interface wants its id in the response, so the
// deck is made before the presentation is accepted. If upstream cannot make it, nothing is
// accepted.

import type { Origin } from '../../contract/presentation.ts'
import type { Database } from '../../database/connection.ts'
import { scheduleDeckRemoval } from '../../database/decks.ts'
import { accountNameOf, type UpstreamAccount } from '../../presenton/account.ts'
import type { Presenton } from '../../presenton/client.ts'
import type { Admission } from '../accept.ts'
import type { Brief } from '../read-brief.ts'
import type { PresentationRow } from '../statements/queries.ts'

export interface CreateWithDeckOptions extends Admission {
  database: Pick<Database, 'query'>
  presenton: Pick<Presenton, 'createDeck'>
}

export interface DeckRequest {
  userId: string
  account: UpstreamAccount
  brief: Brief
  origin: Origin
  usesDefaultTemplate: boolean
  /** Upstream's handles of the brief's sources, in their order. */
  filePaths: string[]
  /** Aborts when the caller leaves. What upstream has made by then is accepted or removed. */
  signal: AbortSignal
}

export interface CreatedWithDeck {
  row: PresentationRow
  /** The deck as upstream returned it. */
  created: Record<string, unknown>
}

export type CreateWithDeck = ReturnType<typeof createCreateWithDeck>

export function createCreateWithDeck(options: CreateWithDeckOptions) {
  const { database, presenton, accept, check } = options

  /** @throws Problem of `accept`, UPSTREAM_… */
  return async function createWithDeck(request: DeckRequest): Promise<CreatedWithDeck> {
    const { userId, account, brief, origin, usesDefaultTemplate, filePaths, signal } = request
    // A deck that would be refused is not made.
    await check({ userId, slides: brief.nSlides })
    const { instructions, ...given } = brief
    const { deckId, created } = await presenton.createDeck({
      account,
      signal,
      brief: {
        ...given,
        content: brief.content ?? '',
        ...(instructions !== null && { instructions }),
        filePaths,
      },
    })
    let row: PresentationRow | undefined
    const respond = (accepted: PresentationRow) => {
      row = accepted
      return { status: 200, location: '', body: null }
    }
    try {
      const owned = { deckId, account: accountNameOf(account) }
      await accept({ userId, brief, origin, usesDefaultTemplate, ...owned, respond })
    } catch (error) {
      const unused = { deckId, presentationId: deckId, account: accountNameOf(account) }
      await scheduleDeckRemoval(database, unused).catch(() => undefined)
      throw error
    }
    if (!row) throw new Error('The presentation was not inserted.')
    return { row, created }
  }
}
