// What leaves the gateway with traces, which ids of others it uses, and what a broken collector
// costs.

import { afterEach, expect, test, vi } from 'vitest'
import { openReceiver } from '../sandbox/receiver.ts'
import { openCollector, type ReceivedSpan } from '../sandbox/trace-collector.ts'
import { waitFor } from '../sandbox/wait-for.ts'
import { createSpanCheck } from './known-spans.ts'
import { openTraceWorld, parentContext, type TraceWorld, traceparent } from './trace-world.ts'
import { addWebhook, sendTest, webhookEnv } from './webhook-world.ts'
import { openWorld } from './world.ts'

let traces: TraceWorld | undefined
afterEach(async () => {
  await traces?.close()
  traces = undefined
})

const named = (name: string) => (span: ReceivedSpan) => span.name === name

test('exported bytes hold no content, title, token, link or address', async () => {
  traces = await openTraceWorld({
    credentials: { username: 'operator', password: 'MARK-presenton' },
    shape: 'A1',
    env: { ...webhookEnv, PRESENTON_USERNAME: 'operator', PRESENTON_PASSWORD: 'MARK-presenton' },
    timing: { sleep: () => new Promise(setImmediate) },
  })
  const { world, collector, waitForSpans } = traces
  const receiver = await openReceiver()
  const user = await world.createUser('MARK-user')
  const { id: webhook } = await addWebhook(user, { url: `${receiver.url}/MARK-hook` })
  await sendTest(user, webhook)
  const { id } = await user.submit(
    {
      content: 'MARK-content of a conversation.',
      title: 'MARK-title',
      instructions: 'MARK-instructions',
      n_slides: 3,
      metadata: { key: 'MARK-metadata' },
    },
    { 'x-request-id': 'MARK-request', 'user-agent': 'MARK-agent', tracestate: 'a=MARK-state' },
  )
  await user.waitUntilSettled(id)
  const download = await user.api(`/presentations/${id}/download`)
  const links = await user.read(id)
  await user.api(`/presentations/${id}?q=MARK-query`)
  await user.api('/MARK-path/MARK-more')
  const ticket = await user.api(`/presentations/${id}/ticket`, { method: 'POST' })
  const stream = await user.subscribe(id, { query: `?ticket=${ticket.body.ticket}` })
  await stream.close()
  world.presenton.faults.inject('create:500-detail')
  await user.waitUntilSettled((await user.submit({ content: 'MARK-again' })).id)
  await waitForSpans(named('run'), 2)
  await waitForSpans(named('webhook delivery'))
  await world.closeReplicas()
  const bytes = collector.bytes()
  const secrets = [
    'MARK',
    user.token,
    ticket.body.ticket,
    download.headers.get('location'),
    links.links['self'],
    'X-Amz',
    '127.0.0.1',
    'localhost',
    new URL(world.database.url).password,
    world.objects.secretKey,
    'http://',
    'select ',
  ].filter((text) => typeof text === 'string' && text !== '')
  expect(secrets.length).toBeGreaterThan(9)
  for (const secret of secrets) expect(bytes, String(secret)).not.toContain(secret)
  const check = createSpanCheck([user.token])
  for (const { body } of collector.received) check.take(body)
  check.expectOnlyKnown()
  expect(check.count).toBeGreaterThan(50)
  await receiver.close()
})

test('the list of what spans may hold has no place for content, ids and addresses', () => {
  const named = (name: string, attributes: object[] = []) =>
    JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: [{ name, attributes }] }] }] })
  const given = (key: string, stringValue: string) =>
    named('run', [{ key, value: { stringValue } }])
  for (const bytes of [
    named('GET /api/v1/presentations/11111111-2222-4333-8444-555555555555'),
    named('GET http://127.0.0.1/'),
    named('Quarterly results'),
    given('http.route', '/files/Quarterly results.pptx'),
    given('error.type', 'connect ECONNREFUSED 127.0.0.1:5432'),
    given('db.query.text', 'select 1'),
    given('url.template', '/api?token=one'),
  ]) {
    const check = createSpanCheck([])
    check.take(bytes)
    expect(() => check.expectOnlyKnown(), bytes).toThrow('not listed')
  }
})

test.each([
  ['untrusted: its sampled flag does not count', undefined, '00', true],
  ['a trusted proxy: not sampled', '127.0.0.0/8', '00', false],
  ['a trusted proxy: sampled', '127.0.0.0/8', '01', true],
  ['a proxy that is not named', '10.0.0.0/8', '00', true],
])('the traceparent of a peer that is %s', async (_what, trusted, flags, isRecorded) => {
  traces = await openTraceWorld({ env: trusted === undefined ? {} : { TRUST_PROXY: trusted } })
  const { world, waitForSpans, collector } = traces
  await fetch(`${world.url}/health/live`, { headers: { traceparent: traceparent(flags) } })
  await fetch(`${world.url}/health`)
  await waitForSpans(named('GET /health'))
  const spans = collector.spans().filter(named('GET /health/live'))
  expect(spans).toMatchObject(
    isRecorded
      ? [{ ...parentContext, spanId: spans[0]?.spanId, parentSpanId: parentContext.spanId }]
      : [],
  )
})

test('ignores a malformed traceparent', async () => {
  traces = await openTraceWorld({ env: { TRUST_PROXY: 'true' } })
  const { world, waitForSpans } = traces
  const malformed = [
    'nonsense',
    `${traceparent()}-more`,
    `01${traceparent().slice(2)}-${'x'.repeat(512)}`,
    traceparent().replace(/^00/, 'ff'),
    traceparent().replace(parentContext.traceId, '0'.repeat(32)),
    traceparent().replace(parentContext.spanId, '0'.repeat(16)),
    traceparent().toUpperCase(),
  ]
  for (const header of malformed) {
    const { status } = await fetch(`${world.url}/health/live`, { headers: { traceparent: header } })
    expect(status, header).toBe(200)
  }
  for (const span of await waitForSpans(named('GET /health/live'), malformed.length)) {
    expect(span).toMatchObject({ parentSpanId: undefined })
    expect(span.traceId).not.toBe(parentContext.traceId)
  }
})

test('log lines of requests and runs bear the ids of their spans', async () => {
  traces = await openTraceWorld()
  const { world, waitForSpans } = traces
  const user = await world.createUser()
  const { id } = await user.submit()
  await user.waitUntilSettled(id)
  const [request] = await waitForSpans(named('POST /api/v1/presentations'))
  const [run] = await waitForSpans(named('run'))
  const lines = world.gateways.flatMap(({ logs }) => logs.map((line) => JSON.parse(line)))
  const idsOf = (span: ReceivedSpan | undefined) => ({
    trace_id: span?.traceId,
    span_id: span?.spanId,
  })
  const isPost = (line: { msg: string; method?: string }) =>
    line.msg === 'request' && line.method === 'POST'
  expect(lines.find(isPost)).toMatchObject(idsOf(request))
  expect(lines.find(({ msg }) => msg === 'run claimed')).toMatchObject(idsOf(run))
  const stages = lines.filter(({ msg }) => msg === 'stage finished')
  expect(stages.length).toBeGreaterThan(4)
  for (const line of stages) expect(line).toMatchObject({ trace_id: run?.traceId })
  expect(lines.find(({ msg }) => msg === 'listening')).not.toHaveProperty('trace_id')
})

test('uses the standard variables: service, resource, headers, sampler', async () => {
  traces = await openTraceWorld({
    env: {
      OTEL_SERVICE_NAME: 'decks',
      OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test%20bed,service.name=other',
      OTEL_EXPORTER_OTLP_HEADERS: 'x-tenant=one,authorization=Bearer%20key',
      OTEL_TRACES_SAMPLER: 'traceidratio',
      OTEL_TRACES_SAMPLER_ARG: '1',
    },
  })
  const { world, waitForSpans, collector } = traces
  await fetch(`${world.url}/health/live`)
  const [span] = await waitForSpans(named('GET /health/live'))
  expect(span?.resource).toMatchObject({
    'service.name': 'decks',
    'deployment.environment.name': 'test bed',
  })
  expect(collector.received[0]).toMatchObject({
    path: '/v1/traces',
    headers: { 'x-tenant': 'one', authorization: 'Bearer key' },
  })
})

test('a sampler that records nothing sends nothing, and the run still completes', async () => {
  traces = await openTraceWorld({ env: { OTEL_TRACES_SAMPLER: 'always_off' } })
  const { world, collector } = traces
  await (await world.createUser()).generate()
  await world.closeReplicas()
  expect(collector.received).toEqual([])
})

test.each(['away', 'hanging'] as const)(
  'a collector that is %s costs only a warning',
  async (how) => {
    vi.stubEnv('OTEL_BSP_SCHEDULE_DELAY', '20')
    vi.stubEnv('OTEL_EXPORTER_OTLP_TIMEOUT', '200')
    const collector = await openCollector()
    if (how === 'hanging') collector.respondWith(() => undefined)
    else await collector.close()
    const world = await openWorld({ env: collector.env })
    try {
      await (await world.createUser()).generate()
      const [gateway] = world.gateways
      await waitFor(() =>
        expect(
          gateway?.logs.filter((line) => line.includes('traces were not exported')),
        ).toHaveLength(1),
      )
      expect(gateway?.logs.join('')).not.toContain(collector.url)
      const startedMs = performance.now()
      await world.closeReplicas()
      expect(performance.now() - startedMs).toBeLessThan(30_000)
    } finally {
      await world.close()
      await collector.close().catch(() => undefined)
      vi.unstubAllEnvs()
    }
  },
)

test('nothing of OpenTelemetry is loaded without an endpoint, and all of it with one', async () => {
  const world = await openWorld({ replicas: 0 })
  const reportLoaded = `data:text/javascript,${encodeURIComponent(`
    import { createRequire } from 'node:module'
    const { cache } = createRequire('file:///')
    process.on('exit', () => {
      const loaded = Object.keys(cache).filter((path) => path.includes('@opentelemetry'))
      console.log(JSON.stringify({ loaded: loaded.length }))
    })`)}`
  async function countLoaded(env: Record<string, string>): Promise<number> {
    const replica = await world.spawnReplica({ NODE_OPTIONS: `--import "${reportLoaded}"`, ...env })
    await replica.kill('SIGTERM')
    const line = replica.logs.find((one) => one.includes('"loaded"'))
    return JSON.parse(line ?? '{}').loaded
  }
  expect(await countLoaded({})).toBe(0)
  expect(
    await countLoaded({
      OTEL_SDK_DISABLED: 'true',
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1',
    }),
  ).toBe(0)
  expect(await countLoaded({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1' })).toBeGreaterThan(
    20,
  )
  await world.close()
})
