// A tracer that keeps its spans instead of sending them, and shows the bytes that would be sent.

import { JsonTraceSerializer } from '@opentelemetry/otlp-transformer'
import type { ReadableSpan } from '@opentelemetry/sdk-trace-base'
import { openSdk } from '../telemetry/traces/sdk.ts'
import type { Tracer } from '../telemetry/traces/tracer.ts'

const batchSize = 500

/**
 * `onBytes` gets what an exporter would send, in parts, the last of them when the tracer closes.
 */
export function openRecordingTracer(onBytes: (bytes: string) => void): Promise<Tracer> {
  const spans: ReadableSpan[] = []
  function send() {
    if (spans.length === 0) return
    onBytes(new TextDecoder().decode(JsonTraceSerializer.serializeRequest(spans.splice(0))))
  }
  return openSdk(
    {
      config: {
        url: 'http://127.0.0.1:1',
        headers: {},
        serviceName: 'presenton-gateway',
        resourceAttributes: {},
        sampler: { root: 'always_on', isParentBased: false, ratio: 1 },
      },
      version: '0.0.0',
      logger: { warn: () => undefined },
    },
    {
      onStart: () => undefined,
      onEnd(span) {
        if (spans.push(span) >= batchSize) send()
      },
      forceFlush: async () => undefined,
      shutdown: async () => send(),
    },
  )
}
