// What is reported of unexpected errors, and to whom.

import type { Config } from '../../config/config.ts'
import type { Logger } from '../logging.ts'

export interface ErrorContext {
  /** What was being done: a request, a run, or nothing in particular. */
  kind: 'request' | 'run' | 'process'
  /** Few values each: a route, a stage, a code. Never ids, paths or texts of users. */
  tags?: Record<string, string | undefined>
  /** Sent as a keyed hash only. */
  userId?: string | undefined
}

export type ReportError = (error: unknown, context: ErrorContext) => void

export interface ErrorReports {
  report: ReportError
  /** Resolves when everything is sent, after two seconds at most. */
  flush(): Promise<void>
}

export interface ErrorReportsOptions {
  config: NonNullable<Config['errorReports']>
  release: string
  logger: Pick<Logger, 'warn'>
}
