// Memory of an idle stream with 10,000 open, each of another presentation: the added memory of the
// process divided by their number. The limit of open files may allow fewer; a proxy needs two files
// for each stream. Peers: @fastify/http-proxy, nginx. Target: ≤ 20 KB each, < 400 MB in total.
import { type Benchmark, createResult, kib, mib } from './benchmark.ts'
import type { BenchEnvironment } from './environment.ts'
import { memoryBytes, openFilesLimit } from './process-usage.ts'
import { openReaders, type Target } from './readers.ts'
import { insertQueued } from './rows.ts'

// nginx also needs files for its listeners and for connections that are closing.
const reservedFiles = 2_000
const warmUpStreams = 20

export const idleStreams: Benchmark = {
  name: 'idle-streams',
  async run(environment, { isQuick }) {
    const wanted = isQuick ? 500 : 10_000
    const settleMs = isQuick ? 250 : 3_000
    const files = openFilesLimit() - reservedFiles
    const own = await measureGateway(environment, settleMs, Math.min(wanted, files))
    const peers = await measurePeers(environment, settleMs, Math.min(wanted, Math.floor(files / 2)))
    return [
      ...peers.map(({ name, bytesPerStream, count }) =>
        createResult({
          measure: `memory per idle stream, ${own.count.toLocaleString('en')} open`,
          own: own.bytesPerStream,
          peer: bytesPerStream,
          peerName: `${name} (${count.toLocaleString('en')})`,
          format: kib,
          target: '≤ 20 KB',
          atMost: 20_000,
        }),
      ),
      createResult({
        measure: `total memory, ${own.count.toLocaleString('en')} idle streams open`,
        own: own.totalBytes,
        peer: peers[0]?.totalBytes,
        peerName: 'http-proxy',
        format: mib,
        target: '< 400 MB',
        atMost: 400e6,
      }),
    ]
  },
}

async function measureGateway(environment: BenchEnvironment, settleMs: number, count: number) {
  const database = 'idle'
  const gateway = await environment.startGateway({ database, env: { WORKER: 'false' } })
  const client = await environment.connect(database)
  const ids = await insertQueued(client, count)
  await client.end()
  const headers = { authorization: `Bearer ${await environment.token()}` }
  const targets = ids.map((id) => ({
    url: `${gateway.url}/api/v1/presentations/${id}/events`,
    headers,
  }))
  try {
    return await measure({ name: 'gateway', pid: gateway.pid, targets, settleMs })
  } finally {
    await gateway.stop()
  }
}

async function measurePeers(environment: BenchEnvironment, settleMs: number, count: number) {
  const proxy = await environment.startPeers()
  const nginx = await environment.startNginx()
  const targetsOf = (url: string) =>
    Array.from({ length: count }, (_, n) => ({
      url: `${url}/api/v1/ppt/presentation/stream/idle-peer-${n}`,
    }))
  const measurePeer = (name: string, { pid, url }: { pid: number; url: string }) =>
    measure({ name, pid, targets: targetsOf(url), settleMs })
  try {
    const measured = [await measurePeer('http-proxy', proxy)]
    if (nginx) measured.push(await measurePeer('nginx', nginx))
    return measured
  } finally {
    await Promise.all([proxy.stop(), nginx?.stop()])
  }
}

interface MeasureOptions {
  name: string
  pid: number
  targets: Target[]
  /** How long memory may change after streams were opened. */
  settleMs: number
}

async function measure({ name, pid, targets, settleMs }: MeasureOptions) {
  const settle = () => new Promise((resolve) => setTimeout(resolve, settleMs))
  // The first streams load code, which is not part of the memory of a stream.
  const warmUp = await openReaders(targets.slice(0, warmUpStreams))
  await settle()
  const before = memoryBytes(pid)
  const readers = await openReaders(targets.slice(warmUpStreams))
  await settle()
  const totalBytes = memoryBytes(pid)
  const broken = readers.countBroken()
  readers.close()
  warmUp.close()
  if (broken > 0) throw new Error(`${broken} of ${targets.length} idle streams of ${name} broke`)
  const bytesPerStream = (totalBytes - before) / (targets.length - warmUpStreams)
  return { name, count: targets.length, totalBytes, bytesPerStream }
}
