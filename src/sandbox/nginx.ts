// A real nginx with a given configuration, for tests on machines that have it (`apt-get install
// nginx`), and a small DNS server for the names in that configuration, like a container engine's.

import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { hasProxy, openProxy } from './proxies.ts'

export const hasNginx = hasProxy('nginx')

/** See `openProxy`. */
export const openNginx = (options: { config: string; port: number }) => openProxy('nginx', options)

/** Resolves known names to all their IPv4 addresses. */
export async function openDnsServer(addresses: Record<string, string[]>) {
  const socket = createSocket('udp4')
  socket.on('message', (query, from) => {
    const labels: string[] = []
    let at = 12
    for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
      labels.push(query.toString('latin1', at + 1, at + 1 + length))
      at += 1 + length
    }
    const question = query.subarray(12, at + 5)
    const isAddressQuery = query.readUInt16BE(at + 1) === 1
    const found = (isAddressQuery && addresses[labels.join('.')]) || []
    const header = Buffer.from(query.subarray(0, 12))
    header.writeUInt16BE(0x8180, 2)
    header.writeUInt16BE(found.length, 6)
    header.writeUInt32BE(0, 8)
    // A pointer to the name in the question, type A, class IN, TTL 1 s, 4 bytes of data.
    const records = found.map((address) =>
      Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, ...address.split('.').map(Number)]),
    )
    socket.send(Buffer.concat([header, question, ...records]), from.port, from.address)
  })
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  return {
    port: (socket.address() as AddressInfo).port,
    /** Replaces the addresses of a name. */
    change(name: string, newAddresses: string[]) {
      addresses[name] = newAddresses
    },
    async close() {
      socket.close()
      await once(socket, 'close')
    },
  }
}
