// The gateway and its peers under the same load of readers. Behind a bare proxy each reader has an
// upstream stream of its own. Behind the gateway all readers of a run share one, whose events are
// stored on the way.
import type { BenchEnvironment, GatewayOptions } from './environment.ts'
import type { GeneratedKind } from './event-generator.ts'
import { openReaders, type Readers, type Target } from './readers.ts'
import { startRuns } from './runs.ts'
import { nowMs } from './timestamps.ts'

export interface MeasuredSystem {
  name: string
  pid: number
  /** The group of its upstream streams in the event generator. */
  streamGroup: string
  /** Number of its upstream streams. */
  streams: number
  readers: Readers
  /** From write to read, of the events since the last round began. */
  delaysMs: number[]
  stop: () => Promise<void>
}

export interface ReaderLoad {
  runs: number
  readersPerRun: number
}

/** Opens the gateway, then http-proxy, then nginx where it is installed. */
export async function openSystems(
  environment: BenchEnvironment,
  load: ReaderLoad,
): Promise<MeasuredSystem[]> {
  return [await openGatewaySystem(environment, load), ...(await openPeers(environment, load))]
}

/** The gateway alone. Gateways that are open at once share the events of `slides`. */
export async function openGatewaySystem(
  environment: BenchEnvironment,
  { runs, readersPerRun }: ReaderLoad,
  { database = `watched_${runs}_${readersPerRun}`, env = {} }: Partial<GatewayOptions> = {},
): Promise<MeasuredSystem> {
  const gateway = await environment.startGateway({ database, env })
  const token = await environment.token()
  const { eventUrls } = await startRuns(environment, { url: gateway.url, token, count: runs })
  const headers = { authorization: `Bearer ${token}` }
  return openSystem({
    name: 'gateway',
    pid: gateway.pid,
    streamGroup: 'slides',
    streams: runs,
    targets: eventUrls.flatMap((url) =>
      Array.from({ length: readersPerRun }, () => ({ url, headers })),
    ),
    stop: () => gateway.stop(),
  })
}

async function openPeers(
  environment: BenchEnvironment,
  { runs, readersPerRun }: ReaderLoad,
): Promise<MeasuredSystem[]> {
  const proxy = await environment.startPeers()
  const nginx = await environment.startNginx()
  const streams = runs * readersPerRun
  const openPeer = (
    name: string,
    streamGroup: string,
    peer: { url: string; pid: number; stop: () => Promise<void> },
  ) =>
    openSystem({
      name,
      pid: peer.pid,
      streamGroup,
      streams,
      targets: Array.from({ length: streams }, (_, n) => ({
        url: `${peer.url}/api/v1/ppt/presentation/stream/${streamGroup}-peer-${n}`,
      })),
      stop: () => peer.stop(),
    })
  const systems = [await openPeer('http-proxy', 'proxy', proxy)]
  if (nginx) systems.push(await openPeer('nginx', 'nginx', nginx))
  return systems
}

async function openSystem({
  targets,
  ...system
}: Omit<MeasuredSystem, 'readers' | 'delaysMs'> & { targets: Target[] }): Promise<MeasuredSystem> {
  const delaysMs: number[] = []
  const readers = await openReaders(targets, (delayMs) => delaysMs.push(delayMs))
  async function stop() {
    readers.close()
    await system.stop()
  }
  return { ...system, readers, delaysMs, stop }
}

export interface EventRound {
  kind: GeneratedKind
  /** For each upstream stream. */
  events: number
  bytes: number
  /** For each upstream stream; without it, at full speed. */
  perSecond?: number
}

/**
 * Emits events to the system's streams. Resolves when its readers have read all, or read no more.
 */
export async function runRound(
  { upstream }: BenchEnvironment,
  { readers, streamGroup, streams, delaysMs }: MeasuredSystem,
  { kind, events, bytes, perSecond }: EventRound,
) {
  const before = { events: readers.countEvents(), bytes: readers.countBytes() }
  const expected = streams === 0 ? 0 : events * Math.max(streams, readers.count)
  delaysMs.length = 0
  const startMs = nowMs()
  const rate = perSecond === undefined ? {} : { perSecond: perSecond * streams }
  await upstream.emit({ group: streamGroup, kind, events, bytes, ...rate })
  await readers.waitForEvents(before.events + expected)
  const seconds = (readers.lastAtMs() - startMs) / 1000
  const read = readers.countEvents() - before.events
  return {
    read,
    expected,
    seconds,
    perSecond: read / seconds,
    bytes: readers.countBytes() - before.bytes,
  }
}
