// A collector that is away or hangs costs a warning, at most one a minute. The SDK itself bounds
// its queue and its time, and drops what does not fit.

import type { Logger } from '../logging.ts'

interface ExportResult {
  code: number
  error?: Error
}

interface Exporter<Batch> {
  export(batch: Batch, done: (result: ExportResult) => void): void
}

const repeatMs = 60_000

/** The error itself names the host of the collector, so only its code is logged. */
export function warnOfFailedExports<Batch, E extends Exporter<Batch>>(
  exporter: E,
  logger: Pick<Logger, 'warn'>,
  now: () => number = () => performance.now(),
): E {
  const send = exporter.export.bind(exporter)
  let warnedAtMs = Number.NEGATIVE_INFINITY

  function warn(error: Error | undefined): void {
    if (now() - warnedAtMs < repeatMs) return
    warnedAtMs = now()
    const { code } = (error ?? {}) as { code?: unknown }
    const known = typeof code === 'number' || (typeof code === 'string' && /^\w+$/.test(code))
    logger.warn(
      { variable: 'OTEL_EXPORTER_OTLP_ENDPOINT', ...(known && { code }) },
      'traces were not exported: the collector is away, too slow, or refuses them',
    )
  }

  exporter.export = (batch, done) =>
    send(batch, (result) => {
      if (result.code !== 0) warn(result.error)
      done(result)
    })
  return exporter
}
