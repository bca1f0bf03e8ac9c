// The first slides of decks, as the dashboard draws them: read from upstream once for each revision
// of a deck, a few in each request, and kept as far as a bound of memory allows.

import { setMaxListeners } from 'node:events'
import { createLimiter } from '../../async/limiter.ts'
import { Problem } from '../../domain/problem.ts'
import type { UserAccount } from '../../presenton/account.ts'
import type { Presenton } from '../../presenton/client.ts'
import type { DeckSlides } from '../../presenton/deck-responses.ts'

export interface FirstSlide {
  /** Undefined for a deck that upstream has lost, or whose slide is too large. */
  slide: Record<string, unknown> | undefined
  fonts: unknown
}

export interface DeckOfRevision {
  deckId: string
  revision: number
}

export interface FirstSlidesOptions {
  presenton: Pick<Presenton, 'readDeck' | 'state'>
  maxBytes?: number
  /** For all reads of a request. */
  timeoutMs?: number
}

export type FirstSlides = ReturnType<typeof createFirstSlides>

const maxReads = 24
const maxReadsAtOnce = 8
const maxSlideBytes = 512 * 1024

interface Kept extends FirstSlide {
  revision: number
  bytes: number
}

export function createFirstSlides({
  presenton,
  maxBytes = 32 * 1024 * 1024,
  timeoutMs = 10_000,
}: FirstSlidesOptions) {
  /** Ordered by use. */
  const kept = new Map<string, Kept>()
  let keptBytes = 0
  /** By deck and revision: tabs that open at once share a read. */
  const underWay = new Map<string, Promise<void>>()

  function keep(deckId: string, first: Kept): void {
    drop(deckId)
    kept.set(deckId, first)
    keptBytes += first.bytes
    for (const oldest of kept.keys()) {
      if (keptBytes <= maxBytes) break
      drop(oldest)
    }
  }

  function drop(deckId: string): void {
    keptBytes -= kept.get(deckId)?.bytes ?? 0
    kept.delete(deckId)
  }

  function findKept({ deckId, revision }: DeckOfRevision): FirstSlide | undefined {
    const first = kept.get(deckId)
    if (first?.revision !== revision) return undefined
    kept.delete(deckId)
    kept.set(deckId, first)
    return first
  }

  async function read(account: UserAccount, deck: DeckOfRevision, signal: AbortSignal) {
    const { deckId, revision } = deck
    const first = await presenton
      .readDeck({ account, deckId, signal })
      .then(firstOf)
      .catch((error: unknown) => {
        if (error instanceof Problem && error.failure === 'gone')
          return { slide: undefined, fonts: null }
        throw error
      })
    const bytes = 200 + Buffer.byteLength(JSON.stringify(first))
    const isKept = bytes <= maxSlideBytes
    const shown = isKept ? { ...first, bytes } : { slide: undefined, fonts: null, bytes: 200 }
    keep(deckId, { ...shown, revision })
  }

  /** Never rejects: a slide that cannot be read now is read for a later request. */
  function readOnce(account: UserAccount, deck: DeckOfRevision, signal: AbortSignal) {
    const key = `${deck.deckId} ${deck.revision}`
    const work =
      underWay.get(key) ??
      read(account, deck, signal)
        .catch(() => undefined)
        .finally(() => underWay.delete(key))
    underWay.set(key, work)
    return work
  }

  return {
    /**
     * The first slides by the ids of their decks, as many as are known or can be read now. The
     * first decks that are not known are read.
     */
    async find(
      account: UserAccount,
      decks: DeckOfRevision[],
    ): Promise<ReadonlyMap<string, FirstSlide>> {
      const missing = decks.filter((deck) => findKept(deck) === undefined)
      if (missing.length > 0 && presenton.state().breaker !== 'open') {
        const signal = AbortSignal.timeout(timeoutMs)
        setMaxListeners(maxReads, signal)
        const limiter = createLimiter(maxReadsAtOnce)
        await Promise.allSettled(
          missing
            .slice(0, maxReads)
            .map((deck) => limiter.run(signal, () => readOnce(account, deck, signal))),
        )
      }
      return new Map(
        decks.flatMap((deck) => {
          const first = findKept(deck)
          return first ? [[deck.deckId, first] as const] : []
        }),
      )
    },
  }
}

function firstOf({ slides: [first], presentation }: DeckSlides): FirstSlide {
  const { owner_id: _, ...slide } = (first ?? {}) as Record<string, unknown>
  return { slide: first && slide, fonts: presentation.fonts ?? null }
}
