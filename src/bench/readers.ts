// Readers of event streams by the hundred, as light as they can be: a bare socket each, whose bytes
// are searched for beats and not otherwise understood, so that reading costs little beside what is
// measured.
import { connect, type Socket } from 'node:net'
import { type BeatCount, createBeatReader } from './beats.ts'

export interface Target {
  url: string
  headers?: Record<string, string>
}

export type Readers = Awaited<ReturnType<typeof openReaders>>

/**
 * Opens a reader for each target, a few at a time; resolves once each has got an answer's head.
 * Rejects when one is not 200.
 */
export async function openReaders(targets: Target[], onBeat?: (delayMs: number) => void) {
  const sockets: Socket[] = []
  const counts: BeatCount[] = []
  let broken = 0
  let next = 0

  async function openSome(): Promise<void> {
    for (let target = targets[next++]; target; target = targets[next++]) {
      const reader = createBeatReader(onBeat)
      counts.push(reader.count)
      sockets.push(await open(target, reader.read, () => (broken += 1)))
    }
  }
  await Promise.all(Array.from({ length: 32 }, openSome))

  const beats = () => counts.reduce((sum, { beats: own }) => sum + own, 0)
  return {
    count: targets.length,
    beats,
    bytes: () => counts.reduce((sum, { bytes }) => sum + bytes, 0),
    lastAtMs: () => counts.reduce((last, { lastAtMs }) => Math.max(last, lastAtMs), 0),
    /** How many connections ended before they were closed here. */
    broken: () => broken,
    /** Resolves once so many beats have come in all, or nothing has for `quietMs`. */
    async until(wanted: number, quietMs = 2_000): Promise<void> {
      let seen = beats()
      let since = performance.now()
      while (beats() < wanted && performance.now() - since < quietMs) {
        await new Promise((resolve) => setTimeout(resolve, 5))
        if (beats() === seen) continue
        seen = beats()
        since = performance.now()
      }
    },
    close() {
      for (const socket of sockets) socket.removeAllListeners('close').destroy()
    },
  }
}

function open(
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
        return reject(new Error(`${url} answered ${head.toString('latin1').slice(0, 600)}`))
      socket.off('error', reject)
      socket.on('error', () => undefined)
      socket.once('close', onBroken)
      read(head)
      socket.on('data', read)
      resolve(socket)
    })
  })
}
