// The handlers of decks as they stand in the slide maker, with the commands that they need.

import type { Config } from '../config/config.ts'
import { createFirstSlides } from '../maker/decks/first-slides.ts'
import { createDecks } from '../maker/decks/handlers.ts'
import { createListDecks } from '../maker/decks/list-decks.ts'
import type { Handlers } from '../maker/exchange.ts'
import type { PresentationServices } from '../presentations/routes.ts'
import { createDeckLocks } from '../presentations/slides/deck-locks.ts'
import { createSaveDeck } from '../presentations/slides/save-deck.ts'
import { createSaveDetails } from '../presentations/slides/save-details.ts'
import type { Adapters } from './adapters.ts'

export interface MakerDecksOptions {
  config: Config
  adapters: Pick<Adapters, 'database' | 'presenton'>
  features: { presentations: Pick<PresentationServices, 'remove'> }
}

export function createMakerDecks({ config, adapters, features }: MakerDecksOptions): Handlers {
  const { database, presenton } = adapters
  const { quotas, limits, leaseMs, slideImageHosts: imageHosts } = config
  return createDecks({
    ...createSaveDeck({
      database,
      presenton,
      quotas,
      imageHosts,
      maxSlides: limits.maxSlides,
      locks: createDeckLocks({ database, leaseMs }),
    }),
    saveDetails: createSaveDetails({ database, presenton }),
    listDecks: createListDecks({ database, firstSlides: createFirstSlides({ presenton }) }),
    remove: features.presentations.remove,
    presenton,
  })
}
