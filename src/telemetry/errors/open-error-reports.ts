// Opens the reports of errors if SENTRY_DSN is set. Nothing of them is loaded otherwise.

import type { Config } from '../../config/config.ts'
import type { ErrorReports, ErrorReportsOptions } from './error-reports.ts'

export async function openErrorReports(
  config: Config['errorReports'],
  options: Omit<ErrorReportsOptions, 'config'>,
): Promise<ErrorReports | undefined> {
  if (!config) return undefined
  const { createSentryReports } = await import('./sentry.ts')
  return createSentryReports({ ...options, config })
}
