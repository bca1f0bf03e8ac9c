// Copying a deck of 500 MB from upstream to the store, checksummed and looked at. Peer: piping the
// same bytes with undici alone to the same store, in one PUT. Target: ≥ 0.7 ×, ≤ 64 MiB more
// memory. The store is the sandbox's, or MinIO's with MINIO_BINARY.
import { Client } from 'minio'
import { nowMs } from './beats.ts'
import type { Ground } from './ground.ts'
import { judge, type Measure, mib, percentile } from './measure.ts'
import type { Program } from './programs.ts'
import { accept } from './runs.ts'
import { forgetPeak, memoryBytes, peakBytes } from './usage.ts'

const bytesPerSecond = (value: number) => `${mib(value)}/s`

export const copy: Measure = {
  name: 'copy',
  async run(ground, { isQuick }) {
    const bytes = (isQuick ? 40 : 500) * 1_000_000
    await ground.upstream.set({ largeFile: { bytes } })
    const gateway = await ground.startGateway({
      database: 'copying',
      env: { MAX_FILE_MIB: '1000' },
    })
    const peers = await ground.startPeers()
    const rates = { own: [] as number[], peer: [] as number[] }
    const memory = { own: [] as number[], peer: [] as number[] }
    try {
      for (let round = 0; round < (isQuick ? 1 : 2); round += 1) {
        const own = await watched(gateway.pid, () => copyByRun(ground, gateway))
        const peer = await watched(peers.pid, () => copyBare(ground, peers, round))
        rates.own.push((bytes / own.took) * 1000)
        rates.peer.push((bytes / peer.took) * 1000)
        memory.own.push(own.memory)
        memory.peer.push(peer.memory)
      }
    } finally {
      await ground.upstream.set({})
      await Promise.all([gateway.end(), peers.end()])
    }
    const name = `copying a deck of ${bytes / 1_000_000} MB`
    const [own, peer] = [percentile(rates.own, 0.5), percentile(rates.peer, 0.5)]
    const [ownMemory, peerMemory] = [Math.max(...memory.own), Math.max(...memory.peer)]
    return [
      judge({
        measure: name,
        own,
        peer,
        peerName: 'undici alone',
        unit: bytesPerSecond,
        target: '≥ 0.7 ×',
        atLeast: 0.7 * peer,
      }),
      judge({
        measure: `${name}: more memory`,
        ...{
          own: ownMemory,
          peer: peerMemory,
          peerName: 'undici alone',
          unit: mib,
          target: '≤ 64 MiB',
          atMost: 64 * 1024 * 1024,
        },
      }),
    ]
  },
}

async function watched(pid: number, work: () => Promise<number>) {
  const before = memoryBytes(pid)
  forgetPeak(pid)
  const took = await work()
  return { took, memory: peakBytes(pid) - before }
}

/** From upstream's being asked for the file to the event that says where it lies. */
async function copyByRun({ upstream, token }: Ground, { url }: Program): Promise<number> {
  const bearer = await token()
  const id = await accept(url, bearer, { outlines: ['The bridge'] })
  const answer = await fetch(`${url}/api/v1/presentations/${id}/events`, {
    headers: { authorization: `Bearer ${bearer}` },
  })
  const decoder = new TextDecoder()
  let text = ''
  for await (const part of answer.body ?? []) {
    text += decoder.decode(part as Uint8Array, { stream: true })
    if (text.includes('"type":"stored"')) break
  }
  const endMs = nowMs()
  if (!text.includes('"type":"stored"'))
    throw new Error(`the deck was not stored: ${text.slice(-2000)}`)
  const { fileRequestsMs } = await upstream.streams()
  return endMs - (fileRequestsMs.at(-1) ?? Number.NaN)
}

async function copyBare(
  { upstream, objects }: Ground,
  peers: Program,
  round: number,
): Promise<number> {
  const { hostname, port } = new URL(objects.endpoint)
  const { accessKey, secretKey, region } = objects
  const client = new Client({
    endPoint: hostname,
    port: Number(port),
    useSSL: false,
    accessKey,
    secretKey,
    region,
  })
  const to = await client.presignedPutObject('presentations', `bench/${round}.pptx`, 3600)
  const since = nowMs()
  const answer = await fetch(`${peers.url}/copy`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ from: `${upstream.url}/app_data/exports/bench.pptx`, to }),
  })
  await answer.arrayBuffer()
  if (answer.status !== 200) throw new Error(`the bare copy was answered ${answer.status}`)
  return nowMs() - since
}
