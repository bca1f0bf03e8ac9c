// CPU time to read a stream of 5,000 chunks from upstream, parse it into messages and pass each on.
// Peer: the same stream piped to the same place without parsing. Target: ≤ 1.5 ×. Another process
// sends and receives the stream, so that only the work of this one counts.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import { Client } from 'undici'
import { readMessageStream } from '../presenton/message-stream.ts'
import { type Benchmark, createResult, percentile } from './benchmark.ts'

const chunks = 5_000
const formatMs = (value: number) => `${value.toFixed(1)} ms`

// GET sends each event in a write of its own, as a model does. POST discards the body.
const counterpart = `
import { createServer } from 'node:http'
const frame = (message) => 'event: response\\ndata: ' + JSON.stringify(message) + '\\n\\n'
const server = createServer(async (request, response) => {
  if (request.method === 'POST') return request.resume().on('end', () => response.end())
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  for (let n = 0; n < ${chunks}; n += 1) {
    response.write(frame({ type: 'chunk', chunk: 'word ' + n + ' of an outline\\n' }))
    await new Promise((resolve) => setImmediate(resolve))
  }
  response.end(frame({ type: 'complete', presentation: { id: 'a', slides: [] } }))
})
server.listen(0, '127.0.0.1', () => console.log(server.address().port))
`

export const parse: Benchmark = {
  name: 'parse',
  async run(_, { isQuick }) {
    const child = spawn(process.execPath, ['--input-type=module', '--eval', counterpart], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [port] = (await once(createInterface(child.stdout), 'line')) as [string]
    const source = new Client(`http://127.0.0.1:${port}`, { pipelining: 0 })
    const sink = new Client(`http://127.0.0.1:${port}`, { pipelining: 0 })
    const openSource = async () => (await source.request({ method: 'GET', path: '/' })).body
    const sendToSink = async (stream: Readable) => {
      const response = await sink.request({ method: 'POST', path: '/', body: stream })
      await response.body.dump()
    }
    const ownMs: number[] = []
    const peerMs: number[] = []
    try {
      for (let round = 0; round < (isQuick ? 5 : 40); round += 1) {
        peerMs.push(await measureCpuMs(async () => sendToSink(await openSource())))
        ownMs.push(
          await measureCpuMs(async () =>
            sendToSink(Readable.from(parseAndEncode(await openSource()))),
          ),
        )
      }
    } finally {
      await Promise.all([source.destroy(), sink.destroy()])
      child.kill()
    }
    const peer = percentile(peerMs, 0.5)
    return [
      createResult({
        measure: `CPU to parse a stream of ${chunks.toLocaleString('en')} chunks`,
        own: percentile(ownMs, 0.5),
        peer,
        peerName: 'piped raw',
        format: formatMs,
        target: '≤ 1.5 ×',
        atMost: 1.5 * peer,
      }),
    ]
  },
}

/** Joins the messages of one read, as the gateway does for its log. */
async function* parseAndEncode(body: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  for await (const messages of readMessageStream(asGenerator(body), {
    maxMessageBytes: 2 ** 24,
    checkComplete: () => {},
    onTrouble: () => {},
  })) {
    yield messages.map(({ value }) => JSON.stringify(value)).join('\n')
  }
}

async function* asGenerator(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* body
}

async function measureCpuMs(work: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}
