// CPU to parse an upstream stream of 5,000 chunks into messages, each read of it one chunk. Peer: the same reads passed on raw, as a proxy
// does inside. Target: ≤ 20 µs a chunk, so that 1,000 chunks a second cost 2 % of a core.

import { readStream } from '../presenton/stream.ts'
import { judge, type Measure, percentile } from './measure.ts'

const chunks = 5_000
const microseconds = (value: number) => `${value.toFixed(2)} µs`

export const parse: Measure = {
  name: 'parse',
  async run(_, { isQuick }) {
    const reads = Array.from({ length: chunks }, (_, n) => frame({ type: 'chunk', chunk: `word ${n} of an outline\\n` }))
    reads.push(frame({ type: 'complete', presentation: { id: 'a', slides: [] } }))
    const own: number[] = []
    const peer: number[] = []
    for (let round = 0; round < (isQuick ? 5 : 40); round += 1) {
      peer.push(await cpuOf(() => count(pass(reads))))
      own.push(
        await cpuOf(() => count(readStream(pass(reads), { maxMessageBytes: 2 ** 24, check: () => {}, onTrouble: () => {} }))),
      )
    }
    return [
      judge({
        measure: 'CPU to parse a chunk of 5,000',
        ...{ own: percentile(own, 0.5) / chunks, peer: percentile(peer, 0.5) / chunks, peerName: 'raw', unit: microseconds },
        ...{ target: '≤ 20 µs', atMost: 20 },
      }),
    ]
  },
}

const frame = (message: object) => Buffer.from(`event: response\ndata: ${JSON.stringify(message)}\n\n`)

async function* pass(reads: Uint8Array[]): AsyncGenerator<Uint8Array> {
  for (const read of reads) yield read
}

async function count(items: AsyncIterable<unknown>): Promise<number> {
  let found = 0
  for await (const _ of items) found += 1
  return found
}

/** In microseconds. */
async function cpuOf(work: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(before)
  return user + system
}
