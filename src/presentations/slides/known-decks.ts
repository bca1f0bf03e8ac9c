// What this process remembers of the decks that were saved last, so that the next save of a deck
// needs no read: its slides by their ids and digests, and the images that it has had. It holds for
// one revision; a deck of another one is read again.

import { setNewest } from '../../domain/bounded-map.ts'
import type { DeckSlides } from '../../presenton/deck-responses.ts'
import { slideDigests } from '../../presenton/slide-digest.ts'
import { isShared, visitImages } from './image-addresses.ts'

export interface KnownDeck {
  own: { userId: string; id: string }
  revision: number
  account: string | null
  /** Of the slides, in their order. */
  ids: string[]
  digests: string[]
  /** Undefined where upstream does not show it. */
  theme: unknown
  /** What it names now or named before, so that an undo can name it again. */
  images: ReadonlySet<string>
}

export type KnownDecks = ReturnType<typeof createKnownDecks>

const maxDecks = 1_000
const maxImages = 1_000
const maxImageChars = 4_096

export const idsOf = ({ slides }: Pick<DeckSlides, 'slides'>): string[] =>
  slides.map(({ id }) => String(id))

/** Images that all users may name need no memory. */
export function imagesOf(value: unknown): Set<string> {
  const found = new Set<string>()
  visitImages(value, ({ text }) => {
    if (found.size < maxImages && text.length <= maxImageChars && !isShared(text)) found.add(text)
  })
  return found
}

export function createKnownDecks() {
  /** Ordered by use. */
  const decks = new Map<string, KnownDeck>()

  function remember(deckId: string, deck: KnownDeck): KnownDeck {
    const before = decks.get(deckId)?.images ?? new Set<string>()
    const all = [...new Set([...deck.images, ...before])]
    const known = { ...deck, images: new Set(all.slice(0, maxImages)) }
    setNewest(decks, deckId, known, maxDecks)
    return known
  }

  return {
    find: (deckId: string): KnownDeck | undefined => decks.get(deckId),
    forget: (deckId: string): void => void decks.delete(deckId),
    remember,

    /** Of a deck that was read when it had at least this revision. */
    learn: (
      held: { userId: string; id: string; deckId: string } & Pick<
        KnownDeck,
        'revision' | 'account'
      >,
      deck: DeckSlides,
    ): KnownDeck => {
      const { userId, id, deckId, revision, account } = held
      return remember(deckId, {
        own: { userId, id },
        revision,
        account,
        ids: idsOf(deck),
        digests: slideDigests(deck),
        theme: deck.presentation.theme,
        images: imagesOf([deck.slides, deck.presentation.theme]),
      })
    },
  }
}
