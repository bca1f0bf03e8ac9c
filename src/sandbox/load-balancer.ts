// A plain TCP load balancer in front of several replicas: round-robin, and on to the next replica
// if one refuses the connection.

import { connect, createServer, type Socket } from 'node:net'
import { findFreePort } from './ports.ts'

export type LoadBalancer = Awaited<ReturnType<typeof openLoadBalancer>>

/** Calls `listPorts` for each connection, since replicas start and stop. */
export async function openLoadBalancer(listPorts: () => readonly number[]) {
  const clients = new Set<Socket>()
  let connections = 0

  const server = createServer((client) => {
    clients.add(client)
    client.on('error', () => undefined)
    client.once('close', () => clients.delete(client))
    client.pause()
    const ports = listPorts()
    const first = connections++
    function connectReplica(tried: number) {
      const port = ports[(first + tried) % Math.max(1, ports.length)]
      if (port === undefined || tried === ports.length) return void client.destroy()
      const replica = connect({ port, host: '127.0.0.1' })
      replica.once('connect', () => {
        replica.removeAllListeners('error')
        replica.on('error', () => client.destroy())
        replica.once('close', () => client.end())
        client.once('close', () => replica.destroy())
        client.pipe(replica)
        replica.pipe(client)
      })
      replica.once('error', () => connectReplica(tried + 1))
    }
    connectReplica(0)
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
      for (const client of clients) client.destroy()
      await closed
    },
  }
}
