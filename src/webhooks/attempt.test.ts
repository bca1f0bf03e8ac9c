import { afterEach, expect, it } from 'vitest'
import { createOutboundPost } from '../http/outbound-post.ts'
import { createCertificate } from '../sandbox/certificate.ts'
import { openForwardProxy } from '../sandbox/forward-proxy.ts'
import { openReceiver, type ReceiverOptions, type Respond } from '../sandbox/receiver.ts'
import type { Trouble } from '../telemetry/troubles.ts'
import { createAttempt, readRetryAfter } from './attempt.ts'
import { createReceivers } from './receivers.ts'
import { createSecret, createSecretBox } from './secrets.ts'
import type { ClaimedDelivery } from './statements/claim.ts'

const closers: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})

async function open(options?: ReceiverOptions) {
  const receiver = await openReceiver(options)
  closers.push(receiver.close)
  return receiver
}

const box = createSecretBox(Buffer.alloc(32, 1).toString('base64'))
const sealed = box.seal(createSecret(), 'webhook')
const direct = { http: undefined, https: undefined, none: [] }

function deliveryTo(url: string, changes: Partial<ClaimedDelivery> = {}): ClaimedDelivery {
  return {
    id: 'delivery',
    token: 'token',
    webhookId: 'webhook',
    userId: 'alice',
    body: '{"type":"test"}',
    failures: 0,
    isSlow: false,
    url,
    enabled: true,
    secrets: [sealed],
    responseMs: null,
    ...changes,
  }
}

/** `addresses`: what names resolve to, one list after the other. */
function createTestAttempt({
  addresses = [['127.0.0.1']],
  proxies = direct,
  timeoutMs = 15_000,
  secretBox = box,
}: {
  addresses?: string[][]
  proxies?: Parameters<typeof createOutboundPost>[0]
  timeoutMs?: number
  secretBox?: typeof box | undefined
} = {}) {
  const answers = [...addresses]
  const troubles: Trouble[] = []
  const receivers = createReceivers({
    allowedNetworks: ['127.0.0.0/8'],
    resolve: async (name) => (/[a-z]/.test(name) ? (answers.shift() ?? []) : [name]),
  })
  const attempt = createAttempt({
    post: createOutboundPost(proxies),
    receivers,
    secretBox,
    troubles: { report: (_part, trouble) => void troubles.push(trouble) },
    version: '1.2.3',
    timeoutMs,
  })
  const send = (url: string, changes?: Partial<ClaimedDelivery>) =>
    attempt(deliveryTo(url, changes), AbortSignal.timeout(60_000))
  return { attempt, send, troubles }
}

it('connects to the address that was checked, under the name of the URL', async () => {
  const receiver = await open({ host: '127.0.0.2' })
  const { send } = createTestAttempt({ addresses: [['127.0.0.2']] })
  expect(await send(`http://receiver.test:${receiver.port}/`)).toEqual({
    outcome: 'delivered',
    status: 204,
  })
  expect(receiver.received[0]?.headers['host']).toBe(`receiver.test:${receiver.port}`)
})

it('refuses a name that has got another address since it was saved', async () => {
  const receiver = await open()
  const { send } = createTestAttempt({
    addresses: [['127.0.0.1'], ['169.254.169.254'], ['127.0.0.1', '10.0.0.1'], []],
  })
  const url = `http://receiver.test:${receiver.port}/`
  expect(await send(url)).toMatchObject({ outcome: 'delivered' })
  for (const error of ['address_refused', 'address_refused', 'unreachable'])
    expect(await send(url)).toEqual({ outcome: 'failed', error })
  expect(receiver.received).toHaveLength(1)
})

it('follows no redirect, to a metadata address or elsewhere', async () => {
  const [receiver, other] = [await open(), await open()]
  const { send } = createTestAttempt()
  for (const location of ['http://169.254.169.254/latest/meta-data', other.url, '//', '']) {
    for (const status of [301, 302, 303, 307, 308]) {
      receiver.script.push({ status, headers: { location } })
      expect(await send(receiver.url)).toMatchObject({ error: 'redirect', status })
    }
  }
  expect(other.received).toHaveLength(0)
  expect(receiver.received).toHaveLength(20)
})

const responses: [string, Respond, object][] = [
  ['an endless body', endless(200), { outcome: 'delivered', status: 200 }],
  ['an endless body of an error', endless(500), { error: 'status', status: 500 }],
  ['a closed connection', (response) => response.destroy(), { error: 'unreachable' }],
  ['garbage', raw('220 mail.example ESMTP\r\n\r\n'), { error: 'invalid_response' }],
  [
    'a large head',
    raw(`HTTP/1.1 200 OK\r\nx: ${'x'.repeat(99_999)}\r\n\r\n`),
    { error: 'invalid_response' },
  ],
  ['silence', () => undefined, { error: 'timeout' }],
  ['a head without an end', raw('HTTP/1.1 200 OK\r\nx: '), { error: 'timeout' }],
  ['endless early hints', (response) => response.writeProcessing(), { error: 'timeout' }],
  ['410', { status: 410 }, { error: 'status', status: 410, isGone: true }],
  [
    '404 with Retry-After',
    { status: 404, headers: { 'retry-after': '9' } },
    { status: 404, retryAfterMs: undefined },
  ],
  [
    '503 with Retry-After',
    { status: 503, headers: { 'retry-after': '9' } },
    { status: 503, retryAfterMs: 9_000 },
  ],
]

it.each(responses)('judges %s', async (_name, respond, expected) => {
  const receiver = await open()
  receiver.respondWith(respond)
  const { send } = createTestAttempt({ timeoutMs: 1_500 })
  expect(await send(receiver.url)).toMatchObject(expected)
})

it('refuses certificates that it cannot verify', async () => {
  const receiver = await open({ certificate: createCertificate() })
  const { send } = createTestAttempt()
  expect(await send(receiver.url)).toEqual({ outcome: 'failed', error: 'tls' })
  expect(receiver.received).toHaveLength(0)
})

it('names the checked address to a proxy, and never the host', async () => {
  const receiver = await open()
  const proxy = await openForwardProxy({ target: receiver })
  closers.push(proxy.close)
  const proxies = { http: proxy.url, https: proxy.url, none: [] }
  const { send } = createTestAttempt({ proxies, addresses: [['127.0.0.9'], ['127.0.0.9']] })
  expect(await send('http://receiver.test:81/a')).toMatchObject({ outcome: 'delivered' })
  // The target speaks no TLS.
  expect(await send('https://receiver.test/a')).toMatchObject({ outcome: 'failed' })
  expect(proxy.requests).toEqual(['POST http://127.0.0.9:81/a', 'CONNECT 127.0.0.9:443'])
  await proxy.close()
  const { send: sendAgain } = createTestAttempt({ proxies })
  expect(await sendAgain('https://receiver.test/a')).toMatchObject({
    error: 'gateway',
    isOurs: true,
  })
})

it('fails without the key that sealed the secret, and says which variable is wrong', async () => {
  const receiver = await open()
  const other = createSecretBox(Buffer.alloc(32, 9).toString('base64'))
  const { send, troubles } = createTestAttempt({ secretBox: other })
  expect(await send(receiver.url)).toEqual({ outcome: 'failed', error: 'gateway', isOurs: true })
  expect(troubles).toMatchObject([{ variable: 'WEBHOOK_SECRET_KEY' }])
  expect(receiver.received).toHaveLength(0)
  // After a rotation only the earlier secret is lost.
  const secrets = [other.seal(createSecret(), 'webhook'), sealed]
  expect(await send(receiver.url, { secrets })).toMatchObject({ outcome: 'delivered' })
})

it('ends with the reason of its signal', async () => {
  const receiver = await open()
  const abandon = new AbortController()
  receiver.respondWith(() => abandon.abort(new Error('others wait')))
  const { attempt } = createTestAttempt()
  await expect(attempt(deliveryTo(receiver.url), abandon.signal)).rejects.toThrow('others wait')
})

it.each([
  ['120', 120_000],
  ['0', 1_000],
  ['999999', 86_400_000],
  ['Fri, 20 Nov 2026 10:00:30 GMT', 30_000],
  ['Fri, 20 Nov 2020 10:00:00 GMT', 1_000],
  ['Fri, 20 Nov 2030 10:00:00 GMT', 86_400_000],
  ['soon', undefined],
  ['-5', undefined],
  ['', undefined],
  [undefined, undefined],
] as const)('reads Retry-After %s as %s ms', (header, ms) => {
  expect(readRetryAfter(header, Date.parse('2026-11-20T10:00:00Z'))).toBe(ms)
})

function endless(status: number): Respond {
  return (response) => {
    response.writeHead(status)
    const write = () => {
      while (response.writable && response.write('x'.repeat(65_536)));
    }
    response.on('drain', write).on('error', () => undefined)
    write()
  }
}

function raw(text: string): Respond {
  return (response) => void response.socket?.write(text)
}
