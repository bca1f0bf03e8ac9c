// What stands in front of several replicas: connections go to each in turn, and to the next one
// where nobody listens. It looks at nothing that passes, as a plain TCP load balancer.

import { connect, createServer, type Socket } from 'node:net'
import { findFreePort } from './ports.ts'

export type LoadBalancer = Awaited<ReturnType<typeof openLoadBalancer>>

/** `ports` is asked at each connection: replicas come and go. */
export async function openLoadBalancer(ports: () => readonly number[]) {
  const open = new Set<Socket>()
  let turn = 0

  const server = createServer((client) => {
    open.add(client)
    client.on('error', () => undefined)
    client.once('close', () => open.delete(client))
    client.pause()
    const all = ports()
    const first = turn++
    function dial(tried: number) {
      const port = all[(first + tried) % Math.max(1, all.length)]
      if (port === undefined || tried === all.length) return void client.destroy()
      const replica = connect({ port, host: '127.0.0.1' })
      replica.once('connect', () => {
        replica.removeAllListeners('error')
        replica.on('error', () => client.destroy())
        replica.once('close', () => client.end())
        client.once('close', () => replica.destroy())
        client.pipe(replica)
        replica.pipe(client)
      })
      replica.once('error', () => dial(tried + 1))
    }
    dial(0)
  })

  const port = await findFreePort()
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', resolve)
  })
  return {
    url: `http://127.0.0.1:${port}`,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve))
      for (const socket of open) socket.destroy()
      await closed
    },
  }
}
