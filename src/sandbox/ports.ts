// A free TCP port of this machine, for servers that must be able to come back on the same one.

import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'

// Below the ranges from which Linux (32768+) and macOS (49152+) take the local port of outgoing
// connections: while a server of ours is down for a test, nothing takes its port by chance.
const lowest = 15000
const highest = 32000

/**
 * A port on 127.0.0.1 that was free a moment ago. Somebody may take it before the caller does: be
 * ready to ask again.
 */
export async function findFreePort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = randomInt(lowest, highest)
    if (await isPortFree(port)) return port
  }
  throw new Error(`no free port found between ${lowest} and ${highest}`)
}

/** Whether nobody listens on this port of 127.0.0.1. */
export function isPortFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer()
    probe.once('error', () => resolve(false))
    probe.listen({ port, host: '127.0.0.1', exclusive: true }, () =>
      probe.close(() => resolve(true)),
    )
  })
}
