// What the gateway demands of a save before upstream sees it: images and links that the user may
// name, and a bounded number of slides.

import { Problem } from '../../domain/problem.ts'
import { findRefused, imagePathOf } from './image-addresses.ts'
import { imagesOf, type KnownDeck } from './known-decks.ts'
import type { FindOwn } from './own-images.ts'
import { planSave, type Save } from './plan-save.ts'
import type { CheckedSave } from './write-save.ts'

export interface CheckSaveOptions {
  findOwn: FindOwn
  maxSlides: number
  imageHosts: ReadonlySet<string>
}

export type CheckSave = ReturnType<typeof createCheckSave>

export function createCheckSave({ findOwn, maxSlides, imageHosts }: CheckSaveOptions) {
  /** @throws Problem NOT_FOUND, VALIDATION_FAILED */
  return async function checkSave(
    userId: string,
    save: Save,
    known: KnownDeck,
  ): Promise<CheckedSave> {
    const planned = planSave(save, known)
    const { kind: _, ...named } = save
    const added = [...imagesOf(named)].filter((text) => !known.images.has(text))
    const paths = added.flatMap((text) => imagePathOf(text) ?? [])
    const isOwn = await findOwn(userId, paths)
    const errors = findRefused(named, {
      known: (text) => known.images.has(text),
      isOwn: (path) => isOwn(path, known.account),
      hosts: imageHosts,
    })
    if ((planned.grownTo ?? 0) > maxSlides && errors.length === 0)
      errors.push({ path: '/slides', message: `a presentation has at most ${maxSlides} slides` })
    if (errors.length > 0) throw new Problem('VALIDATION_FAILED', { errors })
    return { known, planned, images: paths }
  }
}
