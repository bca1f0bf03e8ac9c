// What clients may do to the framing (RFC 6455), over raw sockets: the same as a bare `ws` answers.
// The numbers are those of Autobahn's test suite, whose cases of chapters 1 to 7 and 10 this
// samples.

import { createHash, randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { WebSocketServer } from 'ws'
import { openTestConnections, type TestConnections } from '../sandbox/test-connections.ts'

interface FrameOptions {
  opcode: number
  fin?: boolean
  /** The three reserved bits. */
  reserved?: number
  isMasked?: boolean
}

const text = 1
const binary = 2
const close = 8
const ping = 9
const pong = 10
const message = '{"type":"ping","request_id":"é🚀"}'

function frame(
  payload: string | Buffer,
  { opcode, fin = true, reserved = 0, isMasked = true }: FrameOptions,
): Buffer {
  const bytes = Buffer.from(payload)
  const size = Buffer.alloc(bytes.length < 126 ? 0 : 2)
  if (size.length > 0) size.writeUInt16BE(bytes.length)
  const length = size.length > 0 ? 126 : bytes.length
  const head = Buffer.from([
    (fin ? 0x80 : 0) | (reserved << 4) | opcode,
    length | (isMasked ? 0x80 : 0),
  ])
  if (!isMasked) return Buffer.concat([head, size, bytes])
  const mask = randomBytes(4)
  const masked = bytes.map((byte, index) => byte ^ (mask[index % 4] ?? 0))
  return Buffer.concat([head, size, mask, masked])
}

function closeFrame(code?: number, reason: string | Buffer = ''): Buffer {
  if (code === undefined) return frame('', { opcode: close })
  const head = Buffer.alloc(2)
  head.writeUInt16BE(code)
  return frame(Buffer.concat([head, Buffer.from(reason)]), { opcode: close })
}

/** The message, cut in the middle of a character. */
const cut = Buffer.from(message).indexOf('é') + 1
const bytes = Buffer.from(message)
const fragments = (between: Buffer[] = []) => [
  frame(bytes.subarray(0, cut), { opcode: text, fin: false }),
  ...between,
  frame(bytes.subarray(cut, cut + 3), { opcode: 0, fin: false }),
  ...between,
  frame(bytes.subarray(cut + 3), { opcode: 0 }),
]
const invalidTexts = [
  'cebae1bdb9cf83cebcceb5eda080656469746564',
  'f4908080',
  'c0af',
  'eda080',
  'ff',
]

const cases: Record<string, Buffer[]> = {
  '1.1 text': [frame(message, { opcode: text })],
  '2.1 ping': [frame('', { opcode: ping })],
  '2.4 ping of 125 bytes': [frame('x'.repeat(125), { opcode: ping })],
  '2.5 ping of 126 bytes': [frame('x'.repeat(126), { opcode: ping })],
  '2.7 unsolicited pong': [frame('x', { opcode: pong }), frame(message, { opcode: text })],
  '2.10 ten pings': Array.from({ length: 10 }, (_, n) => frame(`p${n}`, { opcode: ping })),
  ...Object.fromEntries(
    [1, 2, 3, 4, 5, 6, 7].map((reserved) => [
      `3.${reserved} reserved bits ${reserved}`,
      [frame(message, { opcode: text, reserved })],
    ]),
  ),
  ...Object.fromEntries(
    [3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((opcode) => [
      `4 opcode ${opcode}`,
      [frame('', { opcode })],
    ]),
  ),
  '5.1 fragmented ping': [frame('x', { opcode: ping, fin: false }), frame('', { opcode: 0 })],
  '5.2 fragmented pong': [frame('x', { opcode: pong, fin: false }), frame('', { opcode: 0 })],
  '5.3 fragments': fragments(),
  '5.6 pings between fragments': fragments([frame('between', { opcode: ping })]),
  '5.9 continuation of nothing': [frame(message, { opcode: 0 })],
  '5.10 unfinished continuation of nothing': [frame(message, { opcode: 0, fin: false })],
  '5.18 text within fragments': [
    frame('{', { opcode: text, fin: false }),
    frame(message, { opcode: text }),
  ],
  '5 binary within fragments': [
    frame('{', { opcode: text, fin: false }),
    frame('', { opcode: binary }),
  ],
  '5 a close within fragments': [frame('{', { opcode: text, fin: false }), closeFrame(1000)],
  ...Object.fromEntries(
    invalidTexts.map((hex) => [
      `6.3 invalid UTF-8 ${hex}`,
      [frame(Buffer.from(hex, 'hex'), { opcode: text })],
    ]),
  ),
  '6.4 invalid UTF-8 in fragments': [
    frame(Buffer.from('cebae1bdb9', 'hex'), { opcode: text, fin: false }),
    frame(Buffer.from('f4908080', 'hex'), { opcode: 0 }),
  ],
  '7.1.3 two closes': [closeFrame(1000), closeFrame(1000)],
  '7.1.4 text after the close': [closeFrame(1000), frame(message, { opcode: text })],
  '7.3.1 empty close': [closeFrame()],
  '7.3.2 close of one byte': [frame('x', { opcode: close })],
  '7.3.5 close with a long reason': [closeFrame(1000, 'x'.repeat(123))],
  '7.3.6 close of 126 bytes': [closeFrame(1000, 'x'.repeat(124))],
  '7.5 close with invalid UTF-8': [closeFrame(1000, Buffer.from('cebae1bdb9eda080', 'hex'))],
  ...Object.fromEntries(
    [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999]
      .concat([0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535])
      .map((code) => [`7.7 and 7.9 close ${code}`, [closeFrame(code)]]),
  ),
  'a frame without a mask': [frame(message, { opcode: text, isMasked: false })],
  'fragments larger than 64 KiB together': Array.from({ length: 3 }, (_, n) =>
    frame('x'.repeat(30_000), { opcode: n === 0 ? text : 0, fin: n === 2 }),
  ),
  'many empty fragments': [
    frame('', { opcode: text, fin: false }),
    ...Array.from({ length: 100 }, () => frame('', { opcode: 0, fin: false })),
    frame(message, { opcode: 0 }),
  ],
}

let connections: TestConnections
const peer = createServer()
beforeAll(async () => {
  connections = await openTestConnections({ env: { MAX_WEBSOCKETS_PER_USER: '1000' } })
  const sockets = new WebSocketServer({
    server: peer,
    perMessageDeflate: false,
    maxPayload: 64 * 1024,
  })
  sockets.on('connection', (socket) => {
    socket.on('error', () => undefined)
    socket.on('message', (data) => {
      const { request_id } = JSON.parse(String(data))
      socket.send(JSON.stringify({ type: 'pong', request_id }))
    })
  })
  await new Promise<void>((resolve) => void peer.listen(0, '127.0.0.1', resolve))
})
afterAll(async () => {
  await connections.close()
  peer.closeAllConnections()
  await new Promise((resolve) => peer.close(resolve))
})

/** The frames that the server sent after the upgrade and its own first messages, until it ended. */
async function exchange(
  port: number,
  path: string,
  sent: Buffer[],
  { token, withUpgrade = false }: { token: string; withUpgrade?: boolean },
) {
  const key = randomBytes(16).toString('base64')
  const socket: Socket = connect(port, '127.0.0.1')
  let received = Buffer.alloc(0)
  socket.on('data', (data) => (received = Buffer.concat([received, data])))
  socket.on('error', () => undefined)
  const ended = new Promise((resolve) => socket.once('close', resolve))
  const request = Buffer.from(
    `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nAuthorization: Bearer ${token}\r\n` +
      `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`,
  )
  // The last frames end the connection if the others do not.
  const frames = Buffer.concat([...sent, frame('end', { opcode: ping }), closeFrame(1000)])
  socket.write(withUpgrade ? Buffer.concat([request, frames]) : request)
  await expect.poll(() => received.indexOf('\r\n\r\n'), { timeout: 20_000 }).toBeGreaterThan(0)
  const head = received.toString('latin1', 0, received.indexOf('\r\n\r\n'))
  const accept = createHash('sha1')
    .update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
    .digest('base64')
  expect(head).toMatch(/^HTTP\/1\.1 101 /)
  expect(head).toContain(accept)
  if (!withUpgrade) socket.write(frames)
  await ended
  const body = received.subarray(received.indexOf('\r\n\r\n') + 4)
  return readFrames(body).filter((one) => !/"connected"|"job_progress"/.test(one))
}

/** Each frame as its opcode and payload; times are left out. */
function readFrames(bytesOfFrames: Buffer): string[] {
  const frames: string[] = []
  for (let rest = bytesOfFrames; rest.length >= 2; ) {
    const short = (rest[1] ?? 0) & 0x7f
    const at = short === 126 ? 4 : 2
    const length = short === 126 ? rest.readUInt16BE(2) : short
    const payload = rest.subarray(at, at + length)
    const opcode = (rest[0] ?? 0) & 0x0f
    const shown =
      opcode === close
        ? `${payload.length >= 2 ? payload.readUInt16BE() : 'none'} ${payload.subarray(2)}`
        : String(payload).replace(/,"timestamp":"[^"]*"/, '')
    frames.push(`${opcode} ${shown}`)
    rest = rest.subarray(at + length)
  }
  return frames
}

test.each(Object.entries(cases))('responds as a bare ws does: %s', async (_, sent) => {
  const { server, path } = connections
  const token = await server.token()
  const own = await exchange(server.port, path, sent, { token })
  const { port } = peer.address() as AddressInfo
  expect(own).toEqual(await exchange(port, '/', sent, { token }))
  expect(own.length).toBeGreaterThan(0)
})

test.each([
  '5.6 pings between fragments',
  'many empty fragments',
  '6.4 invalid UTF-8 in fragments',
])('frames in the packet of the upgrade are read like others: %s', async (name) => {
  const { server, path } = connections
  const token = await server.token()
  const sent = cases[name] ?? []
  const own = await exchange(server.port, path, sent, { token, withUpgrade: true })
  expect(own).toEqual(await exchange(server.port, path, sent, { token }))
  expect(own.length).toBeGreaterThan(0)
})

test('responds as the protocol demands', async () => {
  const { server, path } = connections
  const token = await server.token()
  const answers = (name: string) => exchange(server.port, path, cases[name] ?? [], { token })
  const answer = `1 ${JSON.stringify({ type: 'pong', request_id: 'é🚀' })}`
  const ends = ['10 end', '8 1000 ']
  expect(await answers('5.6 pings between fragments')).toEqual([
    ...['10 between', '10 between'],
    answer,
    ...ends,
  ])
  expect(await answers('many empty fragments')).toEqual([answer, ...ends])
  for (const name of ['3.1 reserved bits 1', '4 opcode 3', '2.5 ping of 126 bytes'])
    expect(await answers(name), name).toEqual(['8 1002 '])
  expect(await answers('6.4 invalid UTF-8 in fragments')).toEqual(['8 1007 '])
  expect(await answers('fragments larger than 64 KiB together')).toEqual(['8 1009 '])
})
