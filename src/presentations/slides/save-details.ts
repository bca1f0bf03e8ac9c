// A save of upstream's interface that names neither slides nor a theme: another title. It is the
// presentation's; upstream keeps one of its own, which names files there.

import type { Database } from '../../database/connection.ts'
import type { UpstreamAccount } from '../../presenton/account.ts'
import type { Presenton } from '../../presenton/client.ts'
import { deckGone } from '../../presenton/decks.ts'
import { lockPresentation, updateTitle } from '../statements/transitions.ts'
import { readChangeable } from './check-revision.ts'

export interface SaveDetailsOptions {
  database: Pick<Database, 'transaction'>
  presenton: Pick<Presenton, 'readDeck'>
}

export interface SaveDetailsRequest {
  own: { userId: string; id: string }
  account: UpstreamAccount
  deckId: string
  title: string | undefined
}

export type SaveDetails = ReturnType<typeof createSaveDetails>

export function createSaveDetails({ database, presenton }: SaveDetailsOptions) {
  const check = (own: SaveDetailsRequest['own'], title?: string) =>
    database.transaction(async (client) => {
      readChangeable(await lockPresentation(client, own))
      if (title !== undefined) await updateTitle(client, { id: own.id, title })
    })

  /**
   * Returns the deck in upstream's form, without its slides.
   *
   * @throws Problem NOT_FOUND, CONFLICT (not completed), UPSTREAM_…
   */
  return async function saveDetails(request: SaveDetailsRequest): Promise<Record<string, unknown>> {
    const { own, account, deckId, title } = request
    const { signal } = new AbortController()
    await check(own)
    const deck = await presenton.readDeck({ account, deckId, signal }).catch((error: unknown) => {
      throw deckGone(error)
    })
    // Upstream has answered: only now the title counts.
    if (title !== undefined) await check(own, title)
    return { ...deck.presentation, slides: [] }
  }
}
