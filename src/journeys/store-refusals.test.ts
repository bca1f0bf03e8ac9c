// A store that refuses is not a store that is away: decks work wherever they can, a refusal ends
// the run at once, and the operator reads the reason in /health and in one log line.

import { Client } from 'minio'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { ActiveFault, RequestPredicate } from '../sandbox/fault-server.ts'
import { readLog } from './event-log-rules.ts'
import { openWorld, type World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await openWorld({ shape: 'B1', timing: { random: () => 0 } })
  const { MINIO_ENDPOINT: endpoint, MINIO_REGION: region, ...keys } = world.objects.env
  const { hostname, port } = new URL(endpoint)
  await new Client({
    ...{ endPoint: hostname, port: Number(port), useSSL: false, region },
    ...{ accessKey: keys.MINIO_ACCESS_KEY, secretKey: keys.MINIO_SECRET_KEY },
  }).makeBucket('presentations', region)
})
afterAll(() => world.close())

const always = Number.POSITIVE_INFINITY
const onBucket: RequestPredicate = ({ path }) => path.split('/').length === 2
const onObject: RequestPredicate = (request) => !onBucket(request)
const isPut: RequestPredicate = (request) => request.method === 'PUT' && onObject(request)

function refuse(
  status: number,
  code: string | undefined,
  match: RequestPredicate,
  { message = 'Refused.', headers = {} as Record<string, string>, times = always } = {},
): ActiveFault {
  const body = `<?xml version="1.0"?><Error><Code>${code}</Code><Message>${message}</Message></Error>`
  return world.objects.injectFault(
    { kind: 'status', status, body: code === undefined ? '' : body, headers },
    { times, match },
  )
}

async function readStorageHealth() {
  const body = (await (await fetch(`${world.url}/health/ready`)).json()) as {
    checks: { storage: Record<string, string> }
  }
  return body.checks.storage
}

/** Health reuses a check for two seconds. */
const expectStorageHealth = (expected: object) =>
  expect.poll(readStorageHealth, { timeout: 30_000, interval: 100 }).toEqual(expected)

const troubleLines = () =>
  (world.gateways[0]?.logs ?? []).filter((line) => line.includes('trouble with the store'))

async function run() {
  const user = await world.createUser()
  const { id } = await user.submit()
  const log = readLog(await (await user.subscribe(id)).rest())
  return { user, id, log, presentation: await user.read(id) }
}

test('a key that may not look at the bucket stores decks, and storage is ok', async () => {
  const fault = refuse(403, undefined, onBucket)
  await expectStorageHealth({ status: 'ok' })
  expect((await run()).presentation).toMatchObject({ status: 'completed' })
  await expectStorageHealth({ status: 'ok' })
  expect(fault.hits.length).toBeGreaterThan(0)
  fault.release()
})

test('stores decks in a bucket with object lock, whose store demands a checksum', async () => {
  const message = 'Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests'
  const demand = refuse(
    400,
    'InvalidRequest',
    (request) => isPut(request) && !request.headers['content-md5'],
    { message },
  )
  for (const refusals of [1, 1]) {
    const { log, presentation } = await run()
    expect(presentation).toMatchObject({ status: 'completed' })
    expect(log.stages.filter((stage) => stage === 'store')).toHaveLength(1)
    // The demand is remembered for the second deck.
    expect(demand.hits).toHaveLength(refusals)
  }
  await expectStorageHealth({ status: 'ok' })
  demand.release()
})

test.each<[string, number, string | undefined, object]>([
  ['rights', 403, 'AccessDenied', { reason: 'access_denied', variable: 'MINIO_ACCESS_KEY' }],
  [
    'secret key',
    403,
    'SignatureDoesNotMatch',
    { reason: 'credentials_refused', variable: 'MINIO_SECRET_KEY' },
  ],
  [
    'access key',
    403,
    'InvalidAccessKeyId',
    { reason: 'credentials_refused', variable: 'MINIO_ACCESS_KEY' },
  ],
  ['clock', 403, 'RequestTimeTooSkewed', { reason: 'misconfigured', variable: 'MINIO_ENDPOINT' }],
  ['region', 301, 'PermanentRedirect', { reason: 'misconfigured', variable: 'MINIO_REGION' }],
  ['space', 507, 'XMinioStorageFull', { reason: 'limit_reached', variable: 'MINIO_BUCKET' }],
  ['size', 413, undefined, { reason: 'request_refused', variable: 'MINIO_ENDPOINT' }],
  [
    'key service',
    400,
    'KMS.DisabledException',
    { reason: 'request_refused', variable: 'MINIO_BUCKET' },
  ],
])(
  'a refusal for its %s ends the run at once, names itself, and retry stores the file',
  async (_what, status, code, trouble) => {
    const { exports, slideStreams } = world.presenton.spend
    const linesBefore = troubleLines().length
    const fault = refuse(status, code, isPut)
    const { user, id, log, presentation } = await run()
    expect(fault.hits).toHaveLength(1)
    expect(log.stages.filter((stage) => stage === 'store')).toHaveLength(1)
    expect(presentation).toMatchObject({
      status: 'failed',
      error: {
        code: 'STORAGE_UNAVAILABLE',
        retryable: true,
        detail: 'The file store refuses the file. Its operator has to correct this before a retry.',
      },
    })
    await expectStorageHealth({ ...trouble, status: 'degraded', detail: expect.any(String) })
    const lines = troubleLines().slice(linesBefore)
    expect(lines).toHaveLength(1)
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ part: 'storage', level: 'warn', ...trouble })
    expect(lines[0]).not.toContain(new URL(world.objects.endpoint).host)

    fault.release()
    expect(await user.api(`/presentations/${id}/retry`, { method: 'POST' })).toMatchObject({
      status: 202,
    })
    expect(await user.waitUntilSettled(id)).toMatchObject({ status: 'completed', error: null })
    // Nothing is paid twice.
    expect(world.presenton.spend).toMatchObject({
      exports: exports + 1,
      slideStreams: slideStreams + 1,
    })
    await expectStorageHealth({ status: 'ok' })
  },
)

test.each([
  ['SlowDown', 503],
  ['TooManyRequests', 429],
  ['RequestTimeout', 400],
  ['OperationAborted', 409],
])('%s passes by waiting: the store stage is repeated', async (code, status) => {
  const fault = refuse(status, code, isPut, { times: 3, headers: { 'retry-after': '1' } })
  const { log, presentation } = await run()
  expect(fault.hits).toHaveLength(3)
  expect(presentation).toMatchObject({ status: 'completed' })
  expect(log.stages.filter((stage) => stage === 'store')).toHaveLength(4)
  const waits = log.statuses.filter(({ code }) => code === 'STORAGE_UNAVAILABLE')
  expect(waits.map((wait) => wait.retry_in_seconds)).toEqual([1, 1, 1])
  await expectStorageHealth({ status: 'ok' })
})

test('refused credentials are named by health before any deck needs the store', async () => {
  await world.openReplica({ MINIO_SECRET_KEY: 'another-secret-key' })
  const [, replica] = world.gateways
  const response = await fetch(`${replica?.url}/health`)
  expect(await response.json()).toMatchObject({
    status: 'degraded',
    checks: {
      storage: {
        status: 'unavailable',
        reason: 'credentials_refused',
        variable: 'MINIO_SECRET_KEY',
      },
    },
  })
  const lines = replica?.logs.filter((line) => line.includes('trouble with the store'))
  expect(lines).toHaveLength(1)
  expect(lines?.[0]).not.toContain('another-secret-key')
})
