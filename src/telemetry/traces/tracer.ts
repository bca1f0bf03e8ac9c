// What starts traces, and what it is made from.

import type { Config } from '../../config/config.ts'
import type { Logger } from '../logging.ts'
import type { Span, SpanOptions } from './span.ts'
import type { TraceContext } from './trace-context.ts'

export interface RootOptions extends SpanOptions {
  /** The span that this one continues, in another process or of another release of a lease. */
  parent?: TraceContext | undefined
  /** The parent's ids are used, but not its decision whether to record. */
  ignoresSampling?: boolean
  links?: (TraceContext | undefined)[]
}

export interface Tracer {
  /** A span without an active parent. */
  start(name: string, options: RootOptions): Span
  /** Sends what is left. Takes at most two seconds, and never rejects. */
  close(): Promise<void>
}

export interface TracerOptions {
  config: NonNullable<Config['traces']>
  version: string
  logger: Pick<Logger, 'warn'>
}
