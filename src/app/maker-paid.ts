// The handlers of what costs money in the slide maker, with their commands and adapters.

import type { Config } from '../config/config.ts'
import type { Handlers } from '../maker/exchange.ts'
import { createPaidHandlers, type PaidOptions } from '../maker/paid/handlers.ts'
import { createSessionWatch } from '../maker/session-watch.ts'
import type { PresentationServices } from '../presentations/routes.ts'
import { createStartChatTurn } from '../presentations/slides/chat-turns.ts'
import { createWaitUntilSettled } from '../presentations/wait-until-settled.ts'
import type { Logger } from '../telemetry/logging.ts'
import type { Adapters } from './adapters.ts'

export interface MakerPaidOptions extends Pick<PaidOptions, 'resolveFiles'> {
  config: Config
  adapters: Pick<Adapters, 'database' | 'channels' | 'presenton'>
  features: { presentations: PresentationServices }
  hub: Pick<PaidOptions, 'takeStream'>
  logger: Logger
}

export function createMakerPaid(options: MakerPaidOptions): Handlers {
  const { config, adapters, logger, resolveFiles } = options
  const { presentations } = options.features
  const { takeStream } = options.hub
  const { database, channels, presenton } = adapters
  const { limits, quotas, leaseMs, presenton: upstream } = config
  const { editsPerDay } = quotas
  return createPaidHandlers({
    database,
    channels,
    presenton,
    limits,
    editsPerDay,
    takeStream,
    resolveFiles,
    watchSession: createSessionWatch({ database, channels }),
    commands: presentations,
    startRegeneration: presentations.startRegeneration,
    startTurn: createStartChatTurn({ database, presenton, editsPerDay, leaseMs, logger }),
    findPresentation: presentations.findPresentation,
    waitUntilSettled: createWaitUntilSettled({ database, channels }),
    presign: presentations.presign,
    timeoutMs: upstream.exportTimeoutMs,
    defaultTemplate: upstream.defaultTemplate,
  })
}
