// The process: reads the environment, handles signals, sets the exit code.
import { openApp } from './app/app.ts'
import { type Config, readConfig } from './config/config.ts'
import { createLogger } from './telemetry/logging.ts'

function readConfigOrExit(): Config {
  try {
    return readConfig(process.env)
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`)
    process.exit(1)
  }
}

const config = readConfigOrExit()
const logger = createLogger(config)

// After an uncaught error the state of the process is unknown. It exits, and other workers take
// over its runs when the leases expire.
for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
  process.on(event, (error: unknown) => {
    logger.fatal({ err: error }, event)
    logger.flush?.()
    process.exit(1)
  })
}

const opening = openApp({ config, logger })

let closing = false
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.on(signal, () => {
    // A second signal skips the shutdown.
    if (closing) process.exit(1)
    closing = true
    logger.info({ signal }, 'shutting down')
    opening
      .then((app) => app.close())
      .then(
        () => process.exit(0),
        (error: unknown) => {
          logger.error({ err: error }, 'shutdown failed')
          process.exit(1)
        },
      )
  })
}

await opening.catch((error: unknown) => {
  logger.fatal({ err: error }, 'start failed')
  process.exit(1)
})
