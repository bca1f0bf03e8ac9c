// CPU of reading a stream of 5,000 chunks from upstream, parsing it into messages and passing each
// on. Target: below 1.5 × that of the peer, which pipes the same stream to the same place raw.
// Upstream and the place are another process, so only the work here counts.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import { Client } from 'undici'
import { readMessageStream } from '../presenton/message-stream.ts'
import { judge, type Measure, percentile } from './measure.ts'

const chunks = 5_000
const milliseconds = (value: number) => `${value.toFixed(1)} ms`

// Each event is a write of its own, as a model gives them; the sink reads and forgets.
const counterpart = `
import { createServer } from 'node:http'
const frame = (message) => 'event: response\\ndata: ' + JSON.stringify(message) + '\\n\\n'
const server = createServer(async (request, answer) => {
  if (request.method === 'POST') return request.resume().on('end', () => answer.end())
  answer.writeHead(200, { 'content-type': 'text/event-stream' })
  for (let n = 0; n < ${chunks}; n += 1) {
    answer.write(frame({ type: 'chunk', chunk: 'word ' + n + ' of an outline\\n' }))
    await new Promise((resolve) => setImmediate(resolve))
  }
  answer.end(frame({ type: 'complete', presentation: { id: 'a', slides: [] } }))
})
server.listen(0, '127.0.0.1', () => console.log(server.address().port))
`

export const parse: Measure = {
  name: 'parse',
  async run(_, { isQuick }) {
    const child = spawn(process.execPath, ['--input-type=module', '--eval', counterpart], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [port] = (await once(createInterface(child.stdout), 'line')) as [string]
    const client = new Client(`http://127.0.0.1:${port}`, { pipelining: 0 })
    const sink = new Client(`http://127.0.0.1:${port}`, { pipelining: 0 })
    const body = async () => (await client.request({ method: 'GET', path: '/' })).body
    const passOn = async (stream: Readable) => {
      const answer = await sink.request({ method: 'POST', path: '/', body: stream })
      await answer.body.dump()
    }
    const own: number[] = []
    const peer: number[] = []
    try {
      for (let round = 0; round < (isQuick ? 5 : 40); round += 1) {
        peer.push(await cpuOf(async () => passOn(await body())))
        own.push(await cpuOf(async () => passOn(Readable.from(encode(await body())))))
      }
    } finally {
      await Promise.all([client.destroy(), sink.destroy()])
      child.kill()
    }
    return [
      judge({
        measure: 'CPU to parse a stream of 5,000 chunks',
        ...{
          own: percentile(own, 0.5) / 1000,
          peer: percentile(peer, 0.5) / 1000,
          peerName: 'piped raw',
          unit: milliseconds,
        },
        ...{ target: '≤ 1.5 ×', atMost: (1.5 * percentile(peer, 0.5)) / 1000 },
      }),
    ]
  },
}

/** What one read brought goes on as one piece, as it does into the log. */
async function* encode(body: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  for await (const messages of readMessageStream(reads(body), {
    maxMessageBytes: 2 ** 24,
    checkComplete: () => {},
    onTrouble: () => {},
  })) {
    yield messages.map(({ value }) => JSON.stringify(value)).join('\n')
  }
}

async function* reads(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* body
}

/** In microseconds. */
async function cpuOf(work: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(before)
  return user + system
}
