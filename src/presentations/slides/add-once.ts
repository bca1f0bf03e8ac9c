// Adds a slide once for each Idempotency-Key, also through crashes. The id of the new slide follows
// from the key, so a repeat finds it in the deck. No slide is stored with the key: a repeat gets
// the deck as it is then.

import { createHash, randomUUID } from 'node:crypto'
import type { Database, Queryable } from '../../database/connection.ts'
import { firstRequestPending } from '../../database/idempotency.ts'
import {
  boundKeyWait,
  findKeys,
  type IdempotentRequest,
  insertKeys,
  keyId,
  keyWaitSeconds,
  releaseKeys,
  storeResponses,
} from '../../database/idempotency-keys.ts'
import { Problem } from '../../domain/problem.ts'
import type { DeckChange } from './change-deck.ts'
import type { DeckAtRevision, ReadSlides } from './read-slides.ts'

export type Idempotency = Omit<IdempotentRequest, 'userId'>

type Base = Pick<DeckChange, 'own' | 'ifMatch' | 'signal'>

interface AddRequest extends Base {
  idempotency: Idempotency | undefined
  location: string
}

type Add = (
  change: Base & Pick<DeckChange, 'onTaken' | 'onFinished'> & { slideId: string; waitMs?: number },
) => Promise<DeckAtRevision>

export interface AddOnceOptions {
  database: Pick<Database, 'query'>
  readSlides: ReadSlides
}

/** Thrown in the transaction that takes the lock: the first request has its response. */
const alreadyAnswered = Symbol('already answered')

export function createAddOnce({ database, readSlides }: AddOnceOptions) {
  /** The state of the key. @throws Problem IDEMPOTENCY_KEY_REUSED */
  async function find(client: Queryable, request: IdempotentRequest) {
    const stored = (await findKeys(client, [request])).get(keyId(request))
    if (!stored) return 'unused'
    if (stored.fingerprint !== request.fingerprint) throw new Problem('IDEMPOTENCY_KEY_REUSED')
    return stored.response ? 'answered' : 'pending'
  }

  return async function addOnce(
    { own, ifMatch, signal, idempotency, location }: AddRequest,
    add: Add,
  ): Promise<DeckAtRevision & { replayed: boolean }> {
    const base = { own, ifMatch, signal }
    if (!idempotency) return { ...(await add({ ...base, slideId: randomUUID() })), replayed: false }
    const key = { ...idempotency, userId: own.userId }
    const replay = async () => ({ ...(await readSlides(own, signal)), replayed: true })
    const state = await find(database, key)
    if (state === 'answered') return replay()
    const isPending = state === 'pending'
    let isTaken = false
    try {
      const added = await add({
        ...base,
        // A repeat is not based on another revision than its first request was.
        ifMatch: isPending ? undefined : ifMatch,
        slideId: slideIdOf(own.id, key),
        ...(isPending && { waitMs: keyWaitSeconds * 1000 }),
        onTaken: async (client) => {
          await client.query(boundKeyWait)
          const inserted = await insertKeys(client, [key])
          // With the lock of the deck, no other request works on a key that is still pending.
          if (!inserted.has(keyId(key)) && (await find(client, key)) === 'answered')
            throw alreadyAnswered
          isTaken = true
        },
        onFinished: async (client) => {
          const response = { status: 201, location, body: null }
          await storeResponses(client, new Map([[key, response]]))
        },
      })
      return { ...added, replayed: false }
    } catch (error) {
      if (error === alreadyAnswered) return replay()
      // If the slide was added all the same, a repeat finds it by its id.
      if (isTaken) await releaseKeys(database, [key]).catch(() => undefined)
      if (isPending && !isTaken && error instanceof Problem && error.code === 'CONFLICT')
        throw firstRequestPending()
      throw error
    }
  }
}

/** A UUID (version 8) that only this request of this user gives for this presentation. */
function slideIdOf(id: string, key: IdempotentRequest): string {
  const text = [id, key.fingerprint, keyId(key)].join('\n')
  const bytes = createHash('sha256').update(text).digest()
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80
  const hex = bytes.toString('hex', 0, 16)
  return [8, 4, 4, 4, 12]
    .map((length, i, lengths) => {
      const start = lengths.slice(0, i).reduce((sum, n) => sum + n, 0)
      return hex.slice(start, start + length)
    })
    .join('-')
}
