// WebSocket clients of benchmarks.
import { WebSocket } from 'ws'

export interface SocketTarget {
  url: string
  headers?: Record<string, string>
}

/** One after the other. */
export async function openSockets(
  { url, headers = {} }: SocketTarget,
  count: number,
): Promise<WebSocket[]> {
  const opened: WebSocket[] = []
  for (let n = 0; n < count; n += 1) {
    const socket = new WebSocket(url.replace(/^http/, 'ws'), { headers, perMessageDeflate: false })
    await new Promise((resolve, reject) => {
      socket.once('open', resolve)
      socket.once('error', reject)
    })
    opened.push(socket)
  }
  return opened
}

export const pause = (durationMs: number) =>
  new Promise((resolve) => setTimeout(resolve, durationMs))
