// Opens the tracer if an endpoint for traces is configured. Nothing of OpenTelemetry is loaded
// otherwise.

import type { Config } from '../../config/config.ts'
import type { Tracer, TracerOptions } from './tracer.ts'

/** Never rejects: without its packages the gateway works without traces, and says so. */
export async function openTracer(
  config: Config['traces'],
  options: Omit<TracerOptions, 'config'>,
): Promise<Tracer | undefined> {
  if (!config) return undefined
  try {
    const { openSdk } = await import('./sdk.ts')
    return await openSdk({ ...options, config })
  } catch (error) {
    options.logger.warn({ err: error }, 'traces are off: OpenTelemetry could not be loaded')
    return undefined
  }
}
