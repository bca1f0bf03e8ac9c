// Memory of an idle stream with 10,000 open, each of another presentation: what the process has
// grown by, shared among them. As many as the limit of open files allows: a proxy needs two for
// each stream. Peer: @fastify/http-proxy, nginx. Target: ≤ 20 KB each, < 400 MB in all.
import type { Ground } from './ground.ts'
import { judge, kib, type Measure, mib } from './measure.ts'
import { openReaders, type Target } from './readers.ts'
import { insertQueued } from './rows.ts'
import { memoryBytes, openFilesLimit } from './usage.ts'

// nginx counts listeners, streams and what is being closed as well.
const spare = 2_000

export const idleStreams: Measure = {
  name: 'idle-streams',
  async run(ground, { isQuick }) {
    const wanted = isQuick ? 500 : 10_000
    const settleMs = isQuick ? 250 : 3_000
    const own = await measureGateway(ground, settleMs, Math.min(wanted, openFilesLimit() - spare))
    const peers = await measurePeers(
      ground,
      settleMs,
      Math.min(wanted, Math.floor((openFilesLimit() - spare) / 2)),
    )
    const measured = peers.map(({ name, each, count }) =>
      judge({
        measure: `memory of an idle stream, ${own.count.toLocaleString('en')} open`,
        ...{
          own: own.each,
          peer: each,
          peerName: `${name} (${count.toLocaleString('en')})`,
          unit: kib,
          target: '≤ 20 KB',
          atMost: 20_000,
        },
      }),
    )
    return [
      ...measured,
      judge({
        measure: 'memory of the gateway in all',
        own: own.all,
        peer: peers[0]?.all,
        peerName: 'http-proxy',
        unit: mib,
        target: '< 400 MB',
        atMost: 400e6,
      }),
    ]
  },
}

async function measureGateway(ground: Ground, settleMs: number, count: number) {
  const database = 'idle'
  const gateway = await ground.startGateway({ database, env: { WORKER: 'false' } })
  const client = await ground.connect(database)
  const ids = await insertQueued(client, count)
  await client.end()
  const headers = { authorization: `Bearer ${await ground.token()}` }
  const targets = ids.map((id) => ({
    url: `${gateway.url}/api/v1/presentations/${id}/events`,
    headers,
  }))
  try {
    return await measure({ name: 'gateway', pid: gateway.pid, targets, settleMs })
  } finally {
    await gateway.end()
  }
}

async function measurePeers(ground: Ground, settleMs: number, count: number) {
  const proxy = await ground.startPeers()
  const nginx = await ground.startNginx()
  const targetsOf = (url: string) =>
    Array.from({ length: count }, (_, n) => ({
      url: `${url}/api/v1/ppt/presentation/stream/idle-peer-${n}`,
    }))
  try {
    const measured = [
      await measure({
        name: 'http-proxy',
        pid: proxy.pid,
        targets: targetsOf(proxy.url),
        settleMs,
      }),
    ]
    if (nginx)
      measured.push(
        await measure({ name: 'nginx', pid: nginx.pid, targets: targetsOf(nginx.url), settleMs }),
      )
    return measured
  } finally {
    await Promise.all([proxy.end(), nginx?.end()])
  }
}

interface Opened {
  name: string
  pid: number
  targets: Target[]
  settleMs: number
}

async function measure({ name, pid, targets, settleMs }: Opened) {
  const settle = () => new Promise((resolve) => setTimeout(resolve, settleMs))
  // One that was open before has loaded whatever is loaded at the first.
  const first = await openReaders(targets.slice(0, 20))
  await settle()
  const before = memoryBytes(pid)
  const readers = await openReaders(targets.slice(20))
  await settle()
  const all = memoryBytes(pid)
  const broken = readers.broken()
  readers.close()
  first.close()
  if (broken > 0) throw new Error(`${broken} of ${targets.length} idle streams of ${name} broke`)
  return { name, count: targets.length, all, each: (all - before) / (targets.length - 20) }
}
