// Traces of requests and runs, as a collector gets them.

import { afterEach, expect, test } from 'vitest'
import type { ReceivedSpan } from '../sandbox/trace-collector.ts'
import { makerCredentials, makerEnv, signInToMaker } from './maker-browser.ts'
import { openMcpClient } from './mcp-client.ts'
import { openTraceWorld, parentContext, type TraceWorld, traceparent } from './trace-world.ts'
import { brief } from './user.ts'

let traces: TraceWorld
afterEach(() => traces.close())

const named = (name: string) => (span: ReceivedSpan) => span.name === name

test('a run is a trace of its own, linked to the request that accepted it, with its stages', async () => {
  traces = await openTraceWorld()
  const { world, waitForSpans, collector } = traces
  const user = await world.createUser()
  const { id } = await user.submit(brief, { traceparent: traceparent() })
  expect(await user.waitUntilSettled(id)).toMatchObject({ status: 'completed' })
  const [accepted] = await waitForSpans(named('POST /api/v1/presentations'))
  expect(accepted).toMatchObject({
    traceId: parentContext.traceId,
    parentSpanId: parentContext.spanId,
    kind: 2,
    attributes: {
      'http.request.method': 'POST',
      'http.route': '/api/v1/presentations',
      'http.response.status_code': 202,
    },
    resource: { 'service.name': 'presenton-gateway' },
  })
  const [run] = (await waitForSpans(named('run'))) as [ReceivedSpan]
  expect(run).toMatchObject({
    kind: 5,
    parentSpanId: undefined,
    links: [{ traceId: accepted?.traceId, spanId: accepted?.spanId }],
    attributes: {
      'gateway.presentation.id': id,
      'gateway.run.outcome': 'ended',
      'gateway.run.time_to_first_slide': expect.any(Number),
    },
    isError: false,
  })
  expect(run.traceId).not.toBe(parentContext.traceId)
  expect(run.events).toMatchObject([{ name: 'first slide' }])

  const spans = collector.spans().filter(({ traceId }) => traceId === run.traceId)
  const childrenOf = ({ spanId }: ReceivedSpan) =>
    spans.filter(({ parentSpanId }) => parentSpanId === spanId)
  const stages = childrenOf(run).filter(({ name }) => name.startsWith('stage '))
  expect(stages.map(({ name }) => name)).toEqual(
    ['create', 'outlines', 'prepare', 'slides', 'export', 'store'].map((stage) => `stage ${stage}`),
  )
  for (const stage of stages) {
    const attempts = childrenOf(stage).filter(({ name }) => name.startsWith('attempt '))
    expect(attempts, stage.name).toMatchObject([
      { attributes: { 'gateway.stage': stage.attributes['gateway.stage'] } },
    ])
  }
  const within = (name: string) => {
    const [attempt] = spans.filter(named(name)) as [ReceivedSpan]
    return childrenOf(attempt).map((child) => child.name)
  }
  expect(within('attempt create')).toContain('POST /api/v1/ppt/presentation/create')
  expect(within('attempt store')).toContain('S3 store objects')
  expect(spans.map(({ name }) => name)).toContain('transaction')
  // Each call continues in Presenton.
  const calls = spans.filter(
    ({ kind, attributes }) => kind === 3 && attributes['service.peer.name'] === 'presenton',
  )
  const sentOn = world.presenton.journal.map(({ headers }) => headers['traceparent'])
  for (const { traceId, spanId } of calls) expect(sentOn).toContain(`00-${traceId}-${spanId}-01`)
  expect(calls.length).toBeGreaterThan(4)
})

test('the accepting transaction is in the trace of its request', async () => {
  traces = await openTraceWorld({ env: { WORKER: 'false' } })
  const { world, waitForSpans } = traces
  await (await world.createUser()).submit()
  const [accepted] = await waitForSpans(named('POST /api/v1/presentations'))
  const isOfRequest = ({ name, parentSpanId }: ReceivedSpan) =>
    name === 'transaction' && parentSpanId === accepted?.spanId
  expect(await waitForSpans(isOfRequest)).toMatchObject([
    { traceId: accepted?.traceId, kind: 3, attributes: { 'db.system.name': 'postgresql' } },
  ])
})

test('a retry and a further export are traces of their own, linked to their requests', async () => {
  traces = await openTraceWorld()
  const { world, waitForSpans } = traces
  const user = await world.createUser()
  const { id } = await user.submit()
  await user.waitUntilSettled(id)
  await user.api(`/presentations/${id}/exports`, { method: 'POST', body: { format: 'pdf' } })
  await user.waitUntilSettled(id)
  const [first, second] = await waitForSpans(named('run'), 2)
  const [request] = await waitForSpans(named('POST /api/v1/presentations/:id/exports'))
  expect(second?.traceId).not.toBe(first?.traceId)
  expect(second).toMatchObject({
    links: [{ spanId: request?.spanId }],
    attributes: { 'gateway.run.number': 2, 'gateway.run.kind': 'export' },
  })
})

test('a takeover continues the trace of the run', async () => {
  traces = await openTraceWorld({ replicas: 0, env: { LEASE_SECONDS: '1' } })
  const { world, waitForSpans } = traces
  const killed = await world.spawnReplica()
  const user = await world.createUser()
  world.presenton.gates.hold('slides:slide')
  const { status, body } = await user.post(undefined, {}, killed.url)
  expect(status).toBe(202)
  await world.presenton.gates.arrived('slides:slide')
  const [stage] = await waitForSpans(named('stage prepare'))
  await killed.kill()
  const next = await world.openReplica()
  world.presenton.gates.releaseAll()
  expect(await user.waitUntilSettled(body.id, next.url)).toMatchObject({ status: 'completed' })
  const [request] = await waitForSpans(named('POST /api/v1/presentations'))
  expect(await waitForSpans(named('run'))).toMatchObject([
    {
      traceId: stage?.traceId,
      parentSpanId: stage?.parentSpanId,
      links: [{ spanId: request?.spanId }],
      attributes: { 'gateway.run.takeovers': 1 },
    },
  ])
})

test('a failed run and its failed attempts say why', async () => {
  traces = await openTraceWorld({ timing: { sleep: () => new Promise(setImmediate) } })
  const { world, waitForSpans } = traces
  const user = await world.createUser()
  world.presenton.faults.inject('create:422')
  const { id } = await user.submit()
  const { error } = await user.waitUntilSettled(id)
  const { code } = error as { code: string }
  expect(await waitForSpans(named('run'))).toMatchObject([
    { isError: true, attributes: { 'error.type': code } },
  ])
  expect(await waitForSpans(named('attempt create'))).toMatchObject([{ isError: true }])
})

test('the span of an event stream ends with its headers, and the stream has one of its own', async () => {
  traces = await openTraceWorld()
  const { world, waitForSpans } = traces
  const user = await world.createUser()
  world.presenton.gates.hold('create')
  const { id } = await user.submit()
  const reader = await user.subscribe(id)
  const [opened] = await waitForSpans(named('GET /api/v1/presentations/:id/events'))
  expect(opened).toMatchObject({
    attributes: { 'http.response.status_code': 200 },
    events: [{ name: 'stream opened' }],
  })
  reader.close()
  expect(await waitForSpans(named('event stream'))).toMatchObject([
    { traceId: opened?.traceId, parentSpanId: opened?.spanId },
  ])
})

test('a tool call of an agent has a span within that of its request', async () => {
  traces = await openTraceWorld()
  const { world, waitForSpans } = traces
  const { token } = await world.createUser()
  const client = await openMcpClient(() => world.url, { token, protocol: '2025' })
  await client.call('make_presentation', { content: brief.content })
  await client.call('get_presentation', { presentation_id: 'unknown' })
  await client.close()
  const [call] = await waitForSpans(named('tools/call make_presentation'))
  expect(call?.attributes).toMatchObject({
    'mcp.method.name': 'tools/call',
    'gen_ai.tool.name': 'make_presentation',
  })
  const [failed] = await waitForSpans(named('tools/call get_presentation'))
  expect(failed).toMatchObject({ isError: true })
  const requests = await waitForSpans(named('POST /mcp'), 2)
  expect(requests.map(({ spanId }) => spanId)).toContain(call?.parentSpanId)
})

test('the slide maker’s requests have spans, and Presenton continues their traces', async () => {
  traces = await openTraceWorld({ shape: 'B1', credentials: makerCredentials, env: makerEnv })
  const { world, waitForSpans } = traces
  const user = await world.createUser()
  const browser = await signInToMaker(user, () => world.gateways[0]?.makerUrl ?? '')
  const passed = await world.requestsDuring(() => browser.open('/dashboard'))
  const isOfPage = ({ attributes }: ReceivedSpan) =>
    attributes['http.route'] === '/dashboard' || attributes['url.template'] === '/{id}'
  const spans = (await waitForSpans(isOfPage, 2)).sort((one, other) => one.kind - other.kind)
  expect(spans).toMatchObject([
    { kind: 2, name: 'GET /dashboard', attributes: { 'http.response.status_code': 200 } },
    { kind: 3, name: 'GET /{id}', attributes: { 'http.response.status_code': 200 } },
  ])
  const [request, upstream] = spans
  expect(upstream).toMatchObject({ traceId: request?.traceId, parentSpanId: request?.spanId })
  const { headers } = passed.find(({ path }) => path === '/dashboard') ?? {}
  expect(headers).toMatchObject({ traceparent: `00-${request?.traceId}-${upstream?.spanId}-01` })
})
