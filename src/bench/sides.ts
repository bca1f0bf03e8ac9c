// The gateway and its peers with the same readers on each: so many runs, so many readers of each
// run. Behind a bare proxy every reader has a stream of its own from upstream; behind the gateway
// all readers of a run share one, which is stored on its way.
import type { Ground } from './ground.ts'
import type { BeatKind } from './metronome.ts'
import { openReaders, type Readers, type Target } from './readers.ts'
import { openRuns } from './runs.ts'

export interface Side {
  name: string
  pid: number
  /** Of upstream's streams behind this side. */
  group: string
  streams: number
  readers: Readers
  /** Of the beats since the last round began, in ms. */
  delays: number[]
  end: () => Promise<void>
}

interface Watched {
  runs: number
  readersEach: number
}

/** The gateway first, then http-proxy, then nginx where it is installed. */
export async function openSides(ground: Ground, watched: Watched): Promise<Side[]> {
  return [await openGatewaySide(ground, watched), ...(await openPeerSides(ground, watched))]
}

async function openGatewaySide(ground: Ground, { runs, readersEach }: Watched): Promise<Side> {
  const gateway = await ground.startGateway({ database: `watched_${runs}_${readersEach}` })
  const token = await ground.token()
  const { eventUrls } = await openRuns(ground, { url: gateway.url, token, count: runs })
  const headers = { authorization: `Bearer ${token}` }
  const targets = eventUrls.flatMap((url) =>
    Array.from({ length: readersEach }, () => ({ url, headers })),
  )
  return openSide({
    name: 'gateway',
    pid: gateway.pid,
    group: 'slides',
    streams: runs,
    targets,
    end: () => gateway.end(),
  })
}

async function openPeerSides(ground: Ground, { runs, readersEach }: Watched): Promise<Side[]> {
  const proxy = await ground.startPeers()
  const nginx = await ground.startNginx()
  const count = runs * readersEach
  const side = (
    name: string,
    group: string,
    peer: { url: string; pid: number; end: () => Promise<void> },
  ) =>
    openSide({
      ...{ name, group, pid: peer.pid, streams: count, end: () => peer.end() },
      targets: Array.from({ length: count }, (_, n) => ({
        url: `${peer.url}/api/v1/ppt/presentation/stream/${group}-peer-${n}`,
      })),
    })
  const sides = [await side('http-proxy', 'proxy', proxy)]
  if (nginx) sides.push(await side('nginx', 'nginx', nginx))
  return sides
}

async function openSide(
  given: Omit<Side, 'readers' | 'delays'> & { targets: Target[] },
): Promise<Side> {
  const { targets, ...side } = given
  const delays: number[] = []
  const readers = await openReaders(targets, (delay) => delays.push(delay))
  async function end() {
    readers.close()
    await side.end()
  }
  return { ...side, readers, delays, end }
}

export interface Round {
  kind: BeatKind
  /** For each reader. */
  beats: number
  bytes: number
  /** For each reader; without, as fast as it goes. */
  perSecond?: number
}

/**
 * Lets the side's streams beat; resolves when every reader has read all. Tells how much was read,
 * and in what time.
 */
export async function playRound(
  { upstream }: Ground,
  side: Side,
  { kind, beats, bytes, perSecond }: Round,
) {
  const { readers, group, streams } = side
  const before = { beats: readers.beats(), bytes: readers.bytes() }
  const readerCount = streams === 0 ? 0 : Math.max(streams, side.readers.count)
  const expected = before.beats + beats * readerCount
  side.delays.length = 0
  const since = Number(process.hrtime.bigint()) / 1e6
  const rate = perSecond === undefined ? {} : { perSecond: perSecond * streams }
  await upstream.beat({ group, kind, beats, bytes, ...rate })
  await readers.until(expected)
  const seconds = (readers.lastAtMs() - since) / 1000
  const read = readers.beats() - before.beats
  return {
    read,
    expected: expected - before.beats,
    seconds,
    perSecond: read / seconds,
    bytes: readers.bytes() - before.bytes,
  }
}
