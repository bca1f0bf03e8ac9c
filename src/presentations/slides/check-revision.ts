// What must hold before the slides of a deck are changed.

import { Problem } from '../../domain/problem.ts'
import { etagOf, type IfMatch } from '../../http/preconditions.ts'
import type { LockedPresentation } from '../statements/transitions.ts'

export interface ChangeableDeck {
  deckId: string
  /** The account in Presenton that owns it; null for the shared one. */
  account: string | null
  revision: number
  /** As far as the gateway knows. */
  slideCount: number
}

/**
 * A finished deck, also while a further file is made of it.
 *
 * @throws Problem CONFLICT
 */
export function readChangeable(locked: LockedPresentation): ChangeableDeck {
  const { status, runKind, deckId, revision, slidesDone: slideCount, account } = locked
  const isFree = status === 'completed' || (status === 'running' && runKind === 'export')
  if (!isFree || deckId === null || revision === null) throw new Problem('CONFLICT')
  return { deckId, account, revision, slideCount }
}

/** @throws Problem REVISION_CONFLICT, with the present revision as its entity tag */
export function checkRevision(revision: number, ifMatch: IfMatch | undefined): void {
  if (ifMatch?.(revision) ?? true) return
  throw new Problem('REVISION_CONFLICT', { headers: { etag: etagOf(revision) } })
}
