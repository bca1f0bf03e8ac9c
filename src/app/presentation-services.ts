// What the routes of presentations call: commands and queries on top of the adapters.

import type { Config } from '../config/config.ts'
import { createAdmission } from '../presentations/accept.ts'
import { createPresentationCommands } from '../presentations/commands.ts'
import { createFinishedCommands } from '../presentations/made-decks/add-finished.ts'
import { createCreateWithDeck } from '../presentations/made-decks/create-with-deck.ts'
import type { PresentationServices } from '../presentations/routes.ts'
import { createSlideCommands } from '../presentations/slides/commands.ts'
import { createDeckLocks } from '../presentations/slides/deck-locks.ts'
import { createStartEdit } from '../presentations/slides/start-edit.ts'
import { createStartRegeneration } from '../presentations/slides/start-regeneration.ts'
import { findPresentation, listPresentations } from '../presentations/statements/queries.ts'
import type { Presign } from '../presentations/view.ts'
import { createWaitUntilSettled } from '../presentations/wait-until-settled.ts'
import type { Adapters } from './adapters.ts'

export interface PresentationServicesOptions {
  config: Config
  adapters: Adapters
  view: PresentationServices['view']
  presign: Presign
}

export function createPresentationServices({
  config: { queue, quotas, limits, leaseMs, slideImageHosts: imageHosts, presenton: upstream },
  adapters: { database, channels, presenton, endRun, reportRemoval },
  view,
  presign,
}: PresentationServicesOptions): PresentationServices {
  const knownTemplates = (userId: string) =>
    presenton.knownTemplates(presenton.knownAccountFor(userId))
  const admission = createAdmission({
    database,
    channels,
    queue,
    quotas,
    knownTemplates,
    knownSourceTypes: () => presenton.knownCapabilities()?.sources,
  })
  return {
    ...createPresentationCommands({
      database,
      channels,
      endRun,
      reportRemoval,
      queue,
      quotas,
      knownTemplates,
    }),
    accept: admission.accept,
    createWithDeck: createCreateWithDeck({ database, presenton, ...admission }),
    finished: createFinishedCommands({ database, presenton, quotas, ...upstream }),
    findPresentation: (wanted) => findPresentation(database, wanted),
    listPresentations: (query) => listPresentations(database, query),
    waitUntilSettled: createWaitUntilSettled({ database, channels }),
    startEdit: createStartEdit({
      database,
      channels,
      presenton,
      queue,
      editsPerDay: quotas.editsPerDay,
    }),
    startRegeneration: createStartRegeneration({ database, channels, queue, quotas }),
    slides: createSlideCommands({
      database,
      presenton,
      locks: createDeckLocks({ database, leaseMs }),
      quotas,
      maxSlides: limits.maxSlides,
      imageHosts,
    }),
    view,
    presign,
  }
}
