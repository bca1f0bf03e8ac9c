// The tracer, made of OpenTelemetry's SDK. Its packages are imported here, when this is called, so
// that a gateway without traces never loads them.

import type { Context, Link, Span as SdkSpan } from '@opentelemetry/api'
import type {
  ReadableSpan,
  Sampler,
  SpanExporter,
  SpanProcessor,
} from '@opentelemetry/sdk-trace-base'
import type { Span, SpanOptions } from './span.ts'
import type { TraceContext } from './trace-context.ts'
import type { Tracer, TracerOptions } from './tracer.ts'
import { warnOfFailedExports } from './warn-of-failed-exports.ts'

const closeTimeoutMs = 2_000

/** `ownProcessor` takes the spans instead of the exporter. */
export async function openSdk(
  { config, version, logger }: TracerOptions,
  ownProcessor?: SpanProcessor,
): Promise<Tracer> {
  const [api, sdk, { OTLPTraceExporter }, { resourceFromAttributes, defaultResource }] =
    await Promise.all([
      import('@opentelemetry/api'),
      import('@opentelemetry/sdk-trace-base'),
      import('@opentelemetry/exporter-trace-otlp-http'),
      import('@opentelemetry/resources'),
    ])
  const { ROOT_CONTEXT, SpanKind, SpanStatusCode, TraceFlags, trace } = api
  const kinds = {
    server: SpanKind.SERVER,
    client: SpanKind.CLIENT,
    internal: SpanKind.INTERNAL,
    consumer: SpanKind.CONSUMER,
  }
  const ignoresSampling = api.createContextKey('ignores the sampling of the parent')

  const exportInBatches = () =>
    new sdk.BatchSpanProcessor(
      warnOfFailedExports<ReadableSpan[], SpanExporter>(
        new OTLPTraceExporter({ url: config.url, headers: config.headers }),
        logger,
      ),
    )
  const provider = new sdk.BasicTracerProvider({
    resource: defaultResource().merge(
      resourceFromAttributes({
        'service.version': version,
        ...config.resourceAttributes,
        'service.name': config.serviceName,
      }),
    ),
    sampler: createSampler(),
    spanProcessors: [ownProcessor ?? exportInBatches()],
  })
  const tracer = provider.getTracer('presenton-gateway', version)

  function createSampler(): Sampler {
    const roots = {
      always_on: () => new sdk.AlwaysOnSampler(),
      always_off: () => new sdk.AlwaysOffSampler(),
      traceidratio: () => new sdk.TraceIdRatioBasedSampler(config.sampler.ratio),
    }
    const root = roots[config.sampler.root]()
    const sampler = config.sampler.isParentBased ? new sdk.ParentBasedSampler({ root }) : root
    return {
      shouldSample: (context, ...rest) =>
        sampler.shouldSample(
          context.getValue(ignoresSampling) ? trace.deleteSpan(context) : context,
          ...rest,
        ),
      toString: () => sampler.toString(),
    }
  }

  const toSpanContext = ({ traceId, spanId, isSampled }: TraceContext) => ({
    traceId,
    spanId,
    traceFlags: isSampled ? TraceFlags.SAMPLED : TraceFlags.NONE,
    isRemote: true,
  })

  function start(
    name: string,
    { kind = 'internal', attributes = {} }: SpanOptions,
    context: Context,
    links: Link[] = [],
  ): Span {
    return wrap(tracer.startSpan(name, { kind: kinds[kind], attributes, links }, context))
  }

  function wrap(span: SdkSpan): Span {
    const { traceId, spanId, traceFlags } = span.spanContext()
    const context = trace.setSpan(ROOT_CONTEXT, span)
    return {
      ids: { trace_id: traceId, span_id: spanId },
      traceparent: `00-${traceId}-${spanId}-0${traceFlags & TraceFlags.SAMPLED}`,
      child: (name, options = {}) => start(name, options, context),
      rename: (name) => void span.updateName(name),
      set: (attributes) => void span.setAttributes(attributes),
      event: (name, attributes) => void span.addEvent(name, attributes),
      fail(type) {
        span.setAttribute('error.type', type)
        span.setStatus({ code: SpanStatusCode.ERROR })
      },
      end: () => span.end(),
    }
  }

  return {
    start(name, { parent, links = [], ignoresSampling: ignores = false, ...options }) {
      const context = parent
        ? trace.setSpanContext(ROOT_CONTEXT, toSpanContext(parent))
        : ROOT_CONTEXT
      return start(
        name,
        options,
        ignores ? context.setValue(ignoresSampling, true) : context,
        links.flatMap((link) => (link ? [{ context: toSpanContext(link) }] : [])),
      )
    },

    async close() {
      let timer: NodeJS.Timeout | undefined
      const timeout = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, closeTimeoutMs)
      })
      await Promise.race([provider.shutdown().catch(() => undefined), timeout])
      clearTimeout(timer)
    },
  }
}
