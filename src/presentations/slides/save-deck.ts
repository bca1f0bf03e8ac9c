// Saves of upstream's own interface, in its own form. Like any change of a deck they take its lock,
// note an intent before upstream is asked to write, and count by digests (docs/decisions/0017). Unlike
// the API's changes they need not read the deck first: what was saved last is known.

import type { Database } from '../../database/connection.ts'
import { finishChange, finishChangeAtOnce, lockLease } from '../../database/deck-changes.ts'
import { recordImages } from '../../database/images.ts'
import { giveBackSlides, reserveSlides, settleSlides } from '../../database/ledger.ts'
import type { Quotas } from '../../database/quota-usage.ts'
import { Problem } from '../../domain/problem.ts'
import { accountOfRow } from '../../presenton/account.ts'
import type { Presenton } from '../../presenton/client.ts'
import { deckGone } from '../../presenton/decks.ts'
import { lockAdmission } from '../statements/insert.ts'
import { updateTitle } from '../statements/transitions.ts'
import { type createDeckLocks, deckLockLost, type HeldDeck } from './deck-locks.ts'
import { createKnownDecks, type KnownDeck, picturesOf } from './known-decks.ts'
import { createFindOwn } from './own-images.ts'
import { findRefused, imagePathOf } from './pictures.ts'
import { type PlannedSave, planSave, type Save, type Saved, type SavedSlide } from './plan-save.ts'
import { createSaveQueue } from './save-queue.ts'
import { type CheckedSave, UnknownOutcome, writeSave } from './write-save.ts'

export interface SaveDeckOptions {
  database: Pick<Database, 'query' | 'transaction'>
  presenton: Pick<Presenton, 'readDeck' | 'saveSlide' | 'saveDeck' | 'readUpstreamId'>
  locks: ReturnType<typeof createDeckLocks>
  quotas: Quotas
  maxSlides: number
  imageHosts: ReadonlySet<string>
}

export interface SaveRequest {
  own: { userId: string; id: string }
  /** The present deck. */
  deckId: string
  save: Save
  /** Set if the presentation gets another one with it. */
  title?: string | undefined
}

export interface SaveKnownRequest {
  userId: string
  /** In its one spelling. */
  deckId: string
  slide: SavedSlide
  /** The hash of the session. */
  session: string
}

export type SaveDeck = ReturnType<typeof createSaveDeck>

interface OpenedDeck {
  deck: HeldDeck
  /** Undefined: it is to be checked against the deck as it is. */
  checked: CheckedSave | undefined
  /** Upstream may be asked to write. */
  hasIntent: boolean
}

const invalid = (path: string, message: string) =>
  new Problem('VALIDATION_FAILED', { errors: [{ path, message }] })

export function createSaveDeck(options: SaveDeckOptions) {
  const { database, presenton, locks, quotas, maxSlides, imageHosts } = options
  const knownDecks = createKnownDecks()
  const findOwn = createFindOwn(options)
  const inTurn = createSaveQueue()
  // A tab that closes must not leave a deck in an unknown state, nor lose what it has sent.
  const always = () => new AbortController().signal

  /** @throws Problem NOT_FOUND, VALIDATION_FAILED */
  async function check({ own, save }: SaveRequest, known: KnownDeck): Promise<CheckedSave> {
    const planned = planSave(save, known)
    const { kind: _, ...named } = save
    const added = [...picturesOf(named)].filter((text) => !known.pictures.has(text))
    const paths = added.flatMap((text) => imagePathOf(text) ?? [])
    const isOwn = await findOwn(own.userId, paths)
    const errors = findRefused(named, {
      known: (text) => known.pictures.has(text),
      isOwn: (path) => isOwn(path, known.account),
      hosts: imageHosts,
    })
    if (errors.length > 0) throw new Problem('VALIDATION_FAILED', { errors })
    if ((planned.grownTo ?? 0) > maxSlides)
      throw invalid('/slides', `a presentation has at most ${maxSlides} slides`)
    return { known, planned, images: paths }
  }

  /** Checks the save against what is known of the deck. Undefined: not known, or refused by that. */
  async function checkKnown(request: SaveRequest): Promise<CheckedSave | undefined> {
    const known = knownDecks.find(request.deckId)
    return known && check(request, known).catch(() => undefined)
  }

  /** Locks the deck at once if it is as known; undefined: nothing was taken. */
  async function openKnown(
    { own, deckId }: SaveRequest,
    checked: CheckedSave | undefined,
    session?: string,
  ): Promise<OpenedDeck | undefined> {
    if (!checked || checked.planned.grownTo !== undefined) return undefined
    const { revision, account, ids } = checked.known
    const asKnown = { own, deckId, account, revision, slideCount: ids.length, session }
    const deck = await locks.takeAtOnce(asKnown)
    return deck && { deck, checked, hasIntent: true }
  }

  /** The deck, locked, and the save checked against it. With `hasIntent` upstream may be asked. */
  async function open(request: SaveRequest): Promise<OpenedDeck> {
    const { own, deckId } = request
    // What is refused by what is known is checked once more against the deck as it is.
    const checked = await checkKnown(request)
    const opened = await openKnown(request, checked)
    if (opened) return opened
    const deck = await locks.take({ own, signal: always(), passesTurns: true })
    const isAsKnown = deck.deckId === deckId && checked?.known.revision === deck.revision
    // Whether slides may be added is decided by the deck itself: the chat may have added some.
    const isEnough = isAsKnown && checked?.planned.grownTo === undefined
    return { deck, hasIntent: false, checked: isEnough ? checked : undefined }
  }

  async function checkAnew(request: SaveRequest, deck: HeldDeck): Promise<CheckedSave> {
    // Made again since: its slides are others, and those of the request would replace them.
    if (deck.deckId !== request.deckId) throw new Problem('CONFLICT')
    return check(request, knownDecks.learn(deck, await presenton.readDeck(callOf(deck))))
  }

  const callOf = (deck: HeldDeck) => ({
    ...{ account: accountOfRow(deck), deckId: deck.deckId, signal: always() },
  })

  async function noteIntent(deck: HeldDeck, { grownTo }: PlannedSave): Promise<void> {
    if (grownTo === undefined) return deck.noteIntent()
    await database.transaction(async (client) => {
      await client.query(lockAdmission)
      const { userId, id } = deck
      await reserveSlides(client, { userId, presentationId: id, slides: grownTo }, quotas)
      await deck.noteIntent(client)
    })
  }

  async function finish(
    { title }: SaveRequest,
    deck: HeldDeck,
    { known, planned, images }: CheckedSave,
    { ids, digests }: Saved,
  ): Promise<number> {
    const { id, userId, lock } = deck
    const { slideCount, isOtherTheme } = planned
    const change = {
      ...{ digests, digestsBefore: known.digests, isOtherTheme },
      slideCount: slideCount && ids.length,
    }
    const statements = [
      ...(slideCount === undefined ? [] : [settleSlides(ids.length)]),
      ...(images.length === 0 ? [] : [recordImages(userId, images)]),
    ]
    if (statements.length === 0 && title === undefined)
      return (await finishChangeAtOnce(database, lock, change)) ?? lost()
    return database.transaction(async (client) => {
      if (!(await lockLease(client, id))) throw new Problem('NOT_FOUND')
      const revision = (await finishChange(client, lock, change)) ?? lost()
      for (const { text, values } of statements) await client.query(text, [id, ...values])
      if (title !== undefined) await updateTitle(client, { id, title })
      return revision
    })
  }

  async function saveIn(
    { deck, hasIntent, ...opened }: OpenedDeck,
    request: SaveRequest,
  ): Promise<Saved['response']> {
    let isUnknown = false
    let reserved: KnownDeck | undefined
    try {
      const checked = opened.checked ?? (await checkAnew(request, deck))
      if (!hasIntent) await noteIntent(deck, checked.planned)
      deck.checkHeld()
      if (checked.planned.grownTo !== undefined) reserved = checked.known
      isUnknown = true
      const saved = await writeSave(presenton, callOf(deck), checked).catch((error: unknown) => {
        isUnknown = error instanceof UnknownOutcome
        throw error instanceof UnknownOutcome ? error.cause : error
      })
      const revision = await finish(request, deck, checked, saved)
      deck.close()
      const { ids, digests } = saved
      const { own, account, theme } = checked.known
      const given = 'theme' in request.save ? request.save.theme : undefined
      const pictures = picturesOf(saved.response)
      knownDecks.remember(deck.deckId, {
        ...{ own, revision, account, ids, digests, pictures, theme: given ?? theme },
      })
      return saved.response
    } catch (error) {
      // After any error, the next save looks at the deck itself.
      knownDecks.forget(deck.deckId)
      if (reserved && !isUnknown) await giveBackSlides(database, deck.id, reserved.ids.length)
      await deck.release({ isUnknown })
      throw goneOf(request, error)
    }
  }

  return {
    /**
     * Saves, and returns what upstream answered.
     *
     * @throws Problem NOT_FOUND (also a slide that the deck does not have), CONFLICT (not completed),
     * VALIDATION_FAILED, QUOTA_EXHAUSTED, UPSTREAM_…
     */
    save: (request: SaveRequest): Promise<Saved['response']> =>
      inTurn(request.own.id, async () => saveIn(await open(request), request)),

    /**
     * Saves a slide of a deck that was saved here before, for a session that is not checked yet: the
     * statement that takes the lock says whether all of it still holds. Undefined: it does not, and
     * nothing was done.
     */
    async saveKnown({
      userId,
      deckId,
      slide,
      session,
    }: SaveKnownRequest): Promise<Saved['response'] | undefined> {
      const own = knownDecks.find(deckId)?.own
      if (own?.userId !== userId) return undefined
      const request: SaveRequest = { own, deckId, save: { kind: 'slide', slide } }
      return inTurn(own.id, async () => {
        const opened = await openKnown(request, await checkKnown(request), session)
        return opened && saveIn(opened, request)
      })
    },
  }
}

/** Upstream says the same of a slide that it has lost as of a deck. */
function goneOf({ save: { kind } }: SaveRequest, error: unknown): unknown {
  const isGone = error instanceof Problem && error.failure === 'gone'
  return isGone && kind === 'slide' ? new Problem('NOT_FOUND', { cause: error }) : deckGone(error)
}

function lost(): never {
  throw deckLockLost()
}
