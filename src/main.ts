// The process: reads the environment, handles signals, sets the exit code. With the argument
// `migrate` it only applies the migrations.
import { openApp } from './app/app.ts'
import { readBuildInfo, releaseOf } from './app/build-info.ts'
import { migrateOnly } from './app/migrate-only.ts'
import { type Config, readConfig } from './config/config.ts'
import type { ErrorReports } from './telemetry/errors/error-reports.ts'
import { openErrorReports } from './telemetry/errors/open-error-reports.ts'
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
let errors: ErrorReports | undefined

// After an uncaught error the state of the process is unknown. It exits, and other workers take
// over its runs when the leases expire.
for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
  process.on(event, (error: unknown) => {
    logger.fatal({ err: error }, event)
    logger.flush?.()
    if (!errors) process.exit(1)
    errors.report(error, { kind: 'process', tags: { event } })
    void errors.flush().finally(() => process.exit(1))
  })
}

const release = releaseOf(readBuildInfo())
errors = await openErrorReports(config.errorReports, { release, logger })

// `node dist/main.js migrate`: a Job migrates, and everything else has MIGRATE_ON_START=false.
if (process.argv[2] === 'migrate') {
  await migrateOnly({ config, logger }).catch((error: unknown) => {
    logger.fatal({ err: error }, 'the migration failed')
    process.exit(1)
  })
  process.exit(0)
}

const opening = openApp({ config, logger, errors })

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
