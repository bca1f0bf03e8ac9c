// Copying a file of 500 MB from upstream to the store, with its checks. Peer: undici alone pipes
// the same bytes to the same store in one PUT. Target: ≥ 0.7 × the rate, ≤ 64 MiB of additional
// memory. The store is the sandbox's, or MinIO with MINIO_BINARY.
import { Client } from 'minio'
import { type Benchmark, createResult, mib, percentile } from './benchmark.ts'
import type { BenchEnvironment } from './environment.ts'
import { memoryBytes, peakMemoryBytes, resetPeakMemory } from './process-usage.ts'
import type { Program } from './programs.ts'
import { postBrief } from './runs.ts'
import { nowMs } from './timestamps.ts'

const bytesPerSecond = (value: number) => `${mib(value)}/s`

export const copy: Benchmark = {
  name: 'copy',
  async run(environment, { isQuick }) {
    const bytes = (isQuick ? 40 : 500) * 1_000_000
    await environment.upstream.configure({ largeFile: { bytes } })
    const gateway = await environment.startGateway({
      database: 'copying',
      env: { MAX_FILE_MIB: '1000' },
    })
    const peers = await environment.startPeers()
    const rates = { own: [] as number[], peer: [] as number[] }
    const memory = { own: [] as number[], peer: [] as number[] }
    try {
      for (let round = 0; round < (isQuick ? 1 : 2); round += 1) {
        const own = await measure(gateway.pid, () => copyByGateway(environment, gateway))
        const peer = await measure(peers.pid, () => copyByPeer(environment, peers, round))
        rates.own.push((bytes / own.tookMs) * 1000)
        rates.peer.push((bytes / peer.tookMs) * 1000)
        memory.own.push(own.addedMemory)
        memory.peer.push(peer.addedMemory)
      }
    } finally {
      await environment.upstream.configure({})
      await Promise.all([gateway.stop(), peers.stop()])
    }
    const label = `copying a file of ${bytes / 1_000_000} MB`
    const peerRate = percentile(rates.peer, 0.5)
    return [
      createResult({
        measure: label,
        own: percentile(rates.own, 0.5),
        peer: peerRate,
        peerName: 'undici alone',
        format: bytesPerSecond,
        target: '≥ 0.7 ×',
        atLeast: 0.7 * peerRate,
      }),
      createResult({
        measure: `${label}: additional memory`,
        own: Math.max(...memory.own),
        peer: Math.max(...memory.peer),
        peerName: 'undici alone',
        format: mib,
        target: '≤ 64 MiB',
        atMost: 64 * 1024 * 1024,
      }),
    ]
  },
}

/** `work` resolves with the time that it took. */
async function measure(pid: number, work: () => Promise<number>) {
  const before = memoryBytes(pid)
  resetPeakMemory(pid)
  const tookMs = await work()
  return { tookMs, addedMemory: peakMemoryBytes(pid) - before }
}

/** The time from the gateway's request for the file to its `stored` event. */
async function copyByGateway(
  { upstream, token: createToken }: BenchEnvironment,
  { url }: Program,
): Promise<number> {
  const token = await createToken()
  const id = await postBrief(url, token, { outlines: ['The bridge'] })
  const response = await fetch(`${url}/api/v1/presentations/${id}/events`, {
    headers: { authorization: `Bearer ${token}` },
  })
  const decoder = new TextDecoder()
  let text = ''
  for await (const part of response.body ?? []) {
    text += decoder.decode(part as Uint8Array, { stream: true })
    if (text.includes('"type":"stored"')) break
  }
  const endMs = nowMs()
  if (!text.includes('"type":"stored"'))
    throw new Error(`the file was not stored: ${text.slice(-2000)}`)
  const { fileRequestsMs } = await upstream.readState()
  return endMs - (fileRequestsMs.at(-1) ?? Number.NaN)
}

async function copyByPeer(
  { upstream, objects }: BenchEnvironment,
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
  const response = await fetch(`${peers.url}/copy`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ from: `${upstream.url}/app_data/exports/bench.pptx`, to }),
  })
  await response.arrayBuffer()
  if (response.status !== 200)
    throw new Error(`the peer responded to the copy with ${response.status}`)
  return nowMs() - since
}
