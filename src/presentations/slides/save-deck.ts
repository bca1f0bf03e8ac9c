// Saves of upstream's own interface, in its own form. Like any change of a deck they take its lock,
// note an intent before upstream is asked to write, and count by digests (docs/decisions/0017). Unlike
// the API's changes they need not read the deck first: what was saved last is known.

import type { Database } from '../../database/connection.ts'
import { finishChange, finishChangeAtOnce, lockLease } from '../../database/deck-changes.ts'
import { recordImages } from '../../database/images.ts'
import { reserveSlides, settleSlides } from '../../database/ledger.ts'
import type { Quotas } from '../../database/quota-usage.ts'
import { Problem } from '../../domain/problem.ts'
import { accountOfRow } from '../../presenton/account.ts'
import type { Presenton } from '../../presenton/client.ts'
import { deckGone } from '../../presenton/decks.ts'
import { mayHaveStarted, type ResponseCause } from '../../presenton/failures.ts'
import { lockAdmission } from '../statements/insert.ts'
import { updateTitle } from '../statements/transitions.ts'
import { type createDeckLocks, deckLockLost, type HeldDeck } from './deck-locks.ts'
import { createKnownDecks, type KnownDeck, picturesOf } from './known-decks.ts'
import { createFindOwn } from './own-images.ts'
import { findRefused, imagePathOf } from './pictures.ts'
import { type PlannedSave, planSave, type Save, type Saved } from './plan-save.ts'
import { createSaveQueue } from './save-queue.ts'

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

export type SaveDeck = ReturnType<typeof createSaveDeck>

/** A save as the deck allows it. */
interface CheckedSave {
  known: KnownDeck
  planned: PlannedSave
  /** Images of the user that the deck has not named before. */
  images: string[]
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
    const named =
      save.kind === 'slide' ? { slide: save.slide } : { slides: save.slides, theme: save.theme }
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

  /** The deck, locked, and the save checked against it. With `hasIntent` upstream may be asked. */
  async function open(request: SaveRequest) {
    const { own, deckId } = request
    const known = knownDecks.find(deckId)
    // What is refused by what is known is checked once more against the deck as it is.
    const checked = known && (await check(request, known).catch(() => undefined))
    if (checked && checked.planned.grownTo === undefined) {
      const { revision, account, ids } = checked.known
      const asKnown = { own, deckId, account, revision, slideCount: ids.length }
      const deck = await locks.takeAtOnce(asKnown)
      if (deck) return { deck, checked, hasIntent: true }
    }
    const deck = await locks.take({ own, signal: always(), passesTurns: true })
    const isAsKnown = deck.deckId === deckId && known?.revision === deck.revision
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

  /** Writes, and reads after a write whose answer was lost. */
  async function write(deck: HeldDeck, { known, planned }: CheckedSave): Promise<Saved> {
    const call = callOf(deck)
    return planned.write(presenton, call).catch(async (error: unknown) => {
      if (!mayHaveStarted(error)) throw error
      const found = await presenton.readDeck(call).catch(() => undefined)
      const saved = found && planned.find(found)
      if (saved) return saved
      const { status } = ((error as Problem).cause ?? {}) as Partial<ResponseCause>
      // A failure that was answered has stored nothing; a lost one may still do so.
      const isAsBefore =
        found && knownDecks.learn(deck, found).digests.join() === known.digests.join()
      if (isAsBefore && status !== undefined) throw error
      throw new UnknownOutcome(error)
    })
  }

  async function finish(
    { title }: SaveRequest,
    deck: HeldDeck,
    { known, planned, images }: CheckedSave,
    { ids, digests }: Saved,
  ): Promise<number> {
    const { id, userId, lock } = deck
    const { slideCount } = planned
    const change = { digests, digestsBefore: known.digests, slideCount: slideCount && ids.length }
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

  /** What was reserved for slides that upstream has not added. */
  async function giveBack({ id }: HeldDeck, { ids }: KnownDeck): Promise<void> {
    const { text, values } = settleSlides(ids.length)
    await database.query(text, [id, ...values]).catch(() => undefined)
  }

  async function saveNow(request: SaveRequest): Promise<Saved['response']> {
    const { deck, hasIntent, ...opened } = await open(request)
    let isUnknown = false
    let reserved: KnownDeck | undefined
    try {
      const checked = opened.checked ?? (await checkAnew(request, deck))
      if (!hasIntent) await noteIntent(deck, checked.planned)
      deck.checkHeld()
      if (checked.planned.grownTo !== undefined) reserved = checked.known
      isUnknown = true
      const saved = await write(deck, checked).catch((error: unknown) => {
        isUnknown = error instanceof UnknownOutcome
        throw error instanceof UnknownOutcome ? error.cause : error
      })
      const revision = await finish(request, deck, checked, saved)
      deck.close()
      const { ids, digests } = saved
      const { account, theme } = checked.known
      const given = request.save.kind === 'deck' ? (request.save.theme ?? theme) : theme
      const pictures = picturesOf(saved.response)
      knownDecks.remember(deck.deckId, {
        ...{ revision, account, ids, digests, pictures },
        theme: theme === undefined ? undefined : given,
      })
      return saved.response
    } catch (error) {
      // After any error, the next save looks at the deck itself.
      knownDecks.forget(deck.deckId)
      if (reserved && !isUnknown) await giveBack(deck, reserved)
      await deck.release({ isUnknown })
      throw goneOf(request, error)
    }
  }

  /**
   * Saves, and returns what upstream answered.
   *
   * @throws Problem NOT_FOUND (also a slide that the deck does not have), CONFLICT (not completed),
   * VALIDATION_FAILED, QUOTA_EXHAUSTED, UPSTREAM_…
   */
  return (request: SaveRequest): Promise<Saved['response']> =>
    inTurn(request.own.id, () => saveNow(request))
}

/** Upstream says the same of a slide that it has lost as of a deck. */
function goneOf({ save: { kind } }: SaveRequest, error: unknown): unknown {
  const isGone = error instanceof Problem && error.failure === 'gone'
  return isGone && kind === 'slide' ? new Problem('NOT_FOUND', { cause: error }) : deckGone(error)
}

function lost(): never {
  throw deckLockLost()
}

/** Upstream may or may not have stored the save. The cause says what went wrong. */
class UnknownOutcome extends Error {
  constructor(cause: unknown) {
    super('Whether the deck has changed is not known.', { cause })
  }
}
