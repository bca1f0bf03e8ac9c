// Many light readers of event streams: a bare socket each, whose bytes are only searched for
// timestamps, so that reading costs little beside what is measured.
import { connect, type Socket } from 'node:net'
import { createTimestampReader, type ReceivedCount } from './timestamps.ts'

export interface Target {
  url: string
  headers?: Record<string, string>
}

export type Readers = Awaited<ReturnType<typeof openReaders>>

/**
 * Opens a reader for each target, 32 at a time. Resolves once each has a response; rejects when one
 * is not 200.
 */
export async function openReaders(targets: Target[], onEvent?: (delayMs: number) => void) {
  const sockets: Socket[] = []
  const counts: ReceivedCount[] = []
  let broken = 0
  let next = 0

  async function openNext(): Promise<void> {
    for (let target = targets[next++]; target; target = targets[next++]) {
      const reader = createTimestampReader(onEvent)
      counts.push(reader.count)
      sockets.push(await openReader(target, reader.read, () => (broken += 1)))
    }
  }
  await Promise.all(Array.from({ length: 32 }, openNext))

  const countEvents = () => counts.reduce((sum, { events }) => sum + events, 0)
  return {
    count: targets.length,
    countEvents,
    countBytes: () => counts.reduce((sum, { bytes }) => sum + bytes, 0),
    /** When the latest event was read, by `nowMs`. */
    lastAtMs: () => counts.reduce((last, { lastAtMs }) => Math.max(last, lastAtMs), 0),
    /** How many connections ended before `close`. */
    countBroken: () => broken,
    /** Resolves once that many events were read in total, or none came for `quietMs`. */
    async waitForEvents(wanted: number, quietMs = 2_000): Promise<void> {
      let seen = countEvents()
      let since = performance.now()
      while (countEvents() < wanted && performance.now() - since < quietMs) {
        await new Promise((resolve) => setTimeout(resolve, 5))
        if (countEvents() === seen) continue
        seen = countEvents()
        since = performance.now()
      }
    },
    close() {
      for (const socket of sockets) socket.removeAllListeners('close').destroy()
    },
  }
}

function openReader(
  { url, headers = {} }: Target,
  read: (bytes: Buffer) => void,
  onBroken: () => void,
): Promise<Socket> {
  const { hostname, port, pathname, host } = new URL(url)
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port) })
    const lines = Object.entries({ host, accept: 'text/event-stream', ...headers }).map(
      ([name, value]) => `${name}: ${value}\r\n`,
    )
    socket.setNoDelay(true)
    socket.once('error', reject)
    socket.once('connect', () => socket.write(`GET ${pathname} HTTP/1.1\r\n${lines.join('')}\r\n`))
    socket.once('data', (head: Buffer) => {
      const status = head.toString('latin1', 9, 12)
      if (status !== '200')
        return reject(new Error(`${url} responded with ${head.toString('latin1').slice(0, 600)}`))
      socket.off('error', reject)
      socket.on('error', () => undefined)
      socket.once('close', onBroken)
      read(head)
      socket.on('data', read)
      resolve(socket)
    })
  })
}
