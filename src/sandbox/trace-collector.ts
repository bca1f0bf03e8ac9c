// A collector of traces for tests: takes OTLP over HTTP and shows the spans that it got.

import { openReceiver, type ReceiverOptions } from './receiver.ts'

export interface ReceivedSpan {
  traceId: string
  spanId: string
  parentSpanId: string | undefined
  name: string
  /** As in OTLP: 1 internal, 2 server, 3 client, 5 consumer. */
  kind: number
  attributes: Record<string, unknown>
  events: { name: string; attributes: Record<string, unknown> }[]
  links: { traceId: string; spanId: string }[]
  isError: boolean
  startMs: number
  endMs: number
  resource: Record<string, unknown>
}

interface Attribute {
  key: string
  value: Record<string, unknown>
}

type Raw = Record<string, unknown> & { attributes?: Attribute[] }

export type Collector = Awaited<ReturnType<typeof openCollector>>

export async function openCollector(options?: ReceiverOptions) {
  const receiver = await openReceiver(options)
  receiver.respondWith({ status: 200 })
  return {
    ...receiver,
    /** For spans that are sent soon, unlike the five seconds of production. */
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, OTEL_BSP_SCHEDULE_DELAY: '50' },
    spans: () => receiver.received.flatMap(({ body }) => readSpans(body)),
    bytes: () => receiver.received.map(({ body }) => body).join('\n'),
  }
}

function readSpans(body: string): ReceivedSpan[] {
  const { resourceSpans = [] } = JSON.parse(body) as {
    resourceSpans?: { resource: Raw; scopeSpans: { spans: Raw[] }[] }[]
  }
  return resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ spans }) => spans.map((span) => toSpan(span, membersOf(resource)))),
  )
}

function toSpan(span: Raw, resource: Record<string, unknown>): ReceivedSpan {
  const { status, events = [], links = [], startTimeUnixNano, endTimeUnixNano } = span
  return {
    ...(span as unknown as Pick<ReceivedSpan, 'traceId' | 'spanId' | 'name' | 'kind'>),
    parentSpanId: (span['parentSpanId'] as string | undefined) || undefined,
    attributes: membersOf(span),
    events: (events as Raw[]).map((event) => ({
      name: String(event['name']),
      attributes: membersOf(event),
    })),
    links: links as ReceivedSpan['links'],
    isError: (status as { code?: number } | undefined)?.code === 2,
    startMs: Number(startTimeUnixNano) / 1e6,
    endMs: Number(endTimeUnixNano) / 1e6,
    resource,
  }
}

function membersOf({ attributes = [] }: Raw): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]))
}
