// What a user does to the slides of a finished deck: replace members of one, add, remove, reorder.

import type { AddedSlide, SlideChange } from '../../contract/slide-changes.ts'
import type { Database } from '../../database/connection.ts'
import { reserveSlides } from '../../database/ledger.ts'
import type { Quotas } from '../../database/quota-usage.ts'
import { Problem } from '../../domain/problem.ts'
import type { IfMatch } from '../../http/preconditions.ts'
import { accountOfRow } from '../../presenton/account.ts'
import type { Presenton } from '../../presenton/client.ts'
import { isObject, type UpstreamSlide } from '../../presenton/deck-responses.ts'
import { findImagePaths } from '../../presenton/image-paths.ts'
import { lockAdmission } from '../statements/insert.ts'
import { createAddOnce, type Idempotency } from './add-once.ts'
import { createChangeDeck } from './change-deck.ts'
import { checkImages, checkSize } from './check-change.ts'
import type { createDeckLocks } from './deck-locks.ts'
import { createFindOwn } from './own-images.ts'
import { createReadSlides, type DeckAtRevision } from './read-slides.ts'

export interface SlideCommandsOptions {
  database: Pick<Database, 'query' | 'transaction'>
  presenton: Pick<Presenton, 'readDeck' | 'writeSlides' | 'findBlankSlide' | 'readUpstreamId'>
  locks: ReturnType<typeof createDeckLocks>
  quotas: Quotas
  maxSlides: number
  /** Whose images slides may name, over https. */
  imageHosts: ReadonlySet<string>
}

/** Who asks, on what revision it is based, and when the caller leaves. */
export interface ChangeRequest {
  own: { userId: string; id: string }
  ifMatch: IfMatch | undefined
  signal: AbortSignal
}

export type SlideCommands = ReturnType<typeof createSlideCommands>

const invalid = (path: string, message: string) =>
  new Problem('VALIDATION_FAILED', { errors: [{ path, message }] })

export function createSlideCommands(options: SlideCommandsOptions) {
  const { database, presenton, quotas, maxSlides, imageHosts } = options
  const changeDeck = createChangeDeck(options)
  const readSlides = createReadSlides(options)
  const findOwn = createFindOwn(options)
  const addOnce = createAddOnce({ database, readSlides })

  return {
    readSlides,

    /**
     * Replaces members of a slide.
     *
     * @throws Problem NOT_SUPPORTED where the change would not be drawn, VALIDATION_FAILED
     */
    async update(request: ChangeRequest & { index: number; change: SlideChange }) {
      const { own, index, change } = request
      checkSize(change)
      const { content, ui } = change
      const isOwn = await findOwn(own.userId, [...findImagePaths({ content, ui })])
      return changeDeck({
        ...request,
        plan: ({ slides }, { account }) => {
          const slide = slideAt(slides, index)
          const isDrawnFromUi = isObject(slide.ui)
          if (isDrawnFromUi ? content && !ui : ui) throw new Problem('NOT_SUPPORTED')
          const isOfDeck = (path: string) => isOwn(path, account)
          checkImages(change, { known: slides, isOwn: isOfDeck, hosts: imageHosts })
          return { slides: slides.with(index, { ...slide, ...change }), savedIndex: index }
        },
      })
    },

    /**
     * Adds a copy of a slide, or upstream's blank slide. A key that was used before for the same
     * request adds nothing.
     *
     * @throws Problem NOT_SUPPORTED (no blank slide), VALIDATION_FAILED (MAX_SLIDES),
     * QUOTA_EXHAUSTED, IDEMPOTENCY_KEY_REUSED
     */
    add: (
      request: ChangeRequest & {
        added: AddedSlide
        idempotency: Idempotency | undefined
        location: string
      },
    ): Promise<DeckAtRevision & { replayed: boolean }> =>
      addOnce(request, ({ slideId, ...change }) => {
        const { after, copy_of: copyOf } = request.added
        return changeDeck({
          ...change,
          plan: async ({ slides }, deck) => {
            const written = slides.findIndex(({ id }) => id === slideId)
            if (written >= 0) return { slides, addedIndex: written, isWritten: true }
            if (after < -1 || after >= slides.length) throw new Problem('NOT_FOUND')
            const copied =
              copyOf === undefined
                ? await presenton.findBlankSlide({
                    account: accountOfRow(deck),
                    signal: request.signal,
                  })
                : slideAt(slides, copyOf)
            if (!copied) throw new Problem('NOT_SUPPORTED')
            if (slides.length >= maxSlides)
              throw invalid('', `a presentation has at most ${maxSlides} slides`)
            const slide: UpstreamSlide = { ...copied, id: slideId, index: after + 1 }
            return { slides: slides.toSpliced(after + 1, 0, slide), addedIndex: after + 1 }
          },
          reserve: (planned, deck) =>
            database.transaction(async (client) => {
              await client.query(lockAdmission)
              const { userId, id } = deck
              const reservation = { userId, presentationId: id, slides: planned.slides.length }
              await reserveSlides(client, reservation, quotas)
              await deck.noteIntent(client)
            }),
        })
      }),

    /** @throws Problem NOT_FOUND, CONFLICT (the last slide) */
    remove: ({ index, ...request }: ChangeRequest & { index: number }) =>
      changeDeck({
        ...request,
        plan: ({ slides }) => {
          slideAt(slides, index)
          if (slides.length === 1) throw new Problem('CONFLICT')
          return { slides: slides.toSpliced(index, 1) }
        },
      }),

    /** @throws Problem VALIDATION_FAILED (not a permutation of all indexes) */
    reorder: ({ order, ...request }: ChangeRequest & { order: number[] }) =>
      changeDeck({
        ...request,
        plan: ({ slides }) => {
          const isPermutation =
            order.length === slides.length &&
            order.toSorted((a, b) => a - b).every((index, position) => index === position)
          if (!isPermutation) throw invalid('/order', 'must name each slide once')
          return { slides: order.map((index) => slideAt(slides, index)) }
        },
      }),
  }
}

/** @throws Problem NOT_FOUND */
function slideAt(slides: UpstreamSlide[], index: number): UpstreamSlide {
  const slide = slides[index]
  if (!slide) throw new Problem('NOT_FOUND')
  return slide
}
