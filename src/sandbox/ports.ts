// Free TCP ports of this machine, for servers that must be able to restart on the same port.

import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'

// Below the ephemeral ports of Linux (32768+) and macOS (49152+): while a test has a server down,
// no outgoing connection takes its port by chance.
const lowest = 15000
const highest = 32000

/**
 * A port of 127.0.0.1 that was free a moment ago. Another process may take it first, so callers
 * retry with another port when listening fails.
 */
export async function findFreePort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = randomInt(lowest, highest)
    if (await isPortFree(port)) return port
  }
  throw new Error(`no free port found between ${lowest} and ${highest}`)
}

/** Whether no process listens on this port of 127.0.0.1. */
export function isPortFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer()
    probe.once('error', () => resolve(false))
    probe.listen({ port, host: '127.0.0.1', exclusive: true }, () =>
      probe.close(() => resolve(true)),
    )
  })
}
