// A save of upstream's interface that names no slides: another title, or another theme. The title is
// the presentation's; upstream keeps one of its own, which names files there.

import type { Database } from '../../database/connection.ts'
import { Problem } from '../../domain/problem.ts'
import { accountNameOf, type UpstreamAccount } from '../../presenton/account.ts'
import type { Presenton } from '../../presenton/client.ts'
import { deckGone } from '../../presenton/decks.ts'
import { lockPresentation, updateTitle } from '../statements/transitions.ts'
import { readChangeable } from './check-revision.ts'
import { picturesOf } from './known-decks.ts'
import { createFindOwn } from './own-images.ts'
import { findRefused, imagePathOf } from './pictures.ts'

export interface SaveDetailsOptions {
  database: Pick<Database, 'query' | 'transaction'>
  presenton: Pick<Presenton, 'readDeck' | 'saveDeck' | 'readUpstreamId'>
  imageHosts: ReadonlySet<string>
}

export interface SaveDetailsRequest {
  own: { userId: string; id: string }
  account: UpstreamAccount
  deckId: string
  title: string | undefined
  /** Undefined: it stays. */
  theme: unknown
}

export type SaveDetails = ReturnType<typeof createSaveDetails>

const noPictures: ReadonlySet<string> = new Set()

export function createSaveDetails({ database, presenton, imageHosts }: SaveDetailsOptions) {
  const findOwn = createFindOwn({ database, presenton })
  const check = (own: SaveDetailsRequest['own'], title?: string) =>
    database.transaction(async (client) => {
      readChangeable(await lockPresentation(client, own))
      if (title !== undefined) await updateTitle(client, { id: own.id, title })
    })

  /** An export opens the pictures of a theme too. @throws Problem VALIDATION_FAILED */
  async function checkTheme({ own, account, deckId, theme }: SaveDetailsRequest): Promise<void> {
    const paths = [...picturesOf(theme)].flatMap((text) => imagePathOf(text) ?? [])
    const isOwn = await findOwn(own.userId, paths)
    const refusedBeside = (known: ReadonlySet<string>) =>
      findRefused(
        { theme },
        {
          known: (text) => known.has(text),
          isOwn: (path) => isOwn(path, accountNameOf(account)),
          hosts: imageHosts,
        },
      )
    if (refusedBeside(noPictures).length === 0) return
    const { signal } = new AbortController()
    const { slides, presentation } = await presenton.readDeck({ account, deckId, signal })
    const errors = refusedBeside(picturesOf([slides, presentation.theme]))
    if (errors.length > 0) throw new Problem('VALIDATION_FAILED', { errors })
  }

  /**
   * Returns the deck in upstream's form, without its slides.
   *
   * @throws Problem NOT_FOUND, CONFLICT (not completed), VALIDATION_FAILED, UPSTREAM_…
   */
  return async function saveDetails(request: SaveDetailsRequest): Promise<Record<string, unknown>> {
    const { own, account, deckId, title, theme } = request
    const call = { account, deckId, signal: new AbortController().signal }
    const write = async () => {
      if (theme === undefined) return presenton.readDeck(call)
      await checkTheme(request)
      return presenton.saveDeck({ ...call, slides: [], theme })
    }
    await check(own)
    const deck = await write().catch((error: unknown) => {
      throw deckGone(error)
    })
    // Upstream has answered: only now the title counts.
    if (title !== undefined) await check(own, title)
    return { ...deck.presentation, slides: [] }
  }
}
