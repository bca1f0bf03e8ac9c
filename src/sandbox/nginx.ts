// A real nginx with a given configuration, for whoever has the program (`apt-get install nginx`);
// and the smallest name server that answers for the names in such a configuration, as a container
// engine's does.

import { spawn, spawnSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { isPortFree } from './ports.ts'
import { openTemporaryFolder } from './temporary-folder.ts'

export const hasNginx = !spawnSync('nginx', ['-v']).error

/**
 * Starts it in the foreground and waits until it listens on `port`, which must stand in the
 * configuration.
 */
export async function openNginx({ config, port }: { config: string; port: number }) {
  const folder = openTemporaryFolder('nginx')
  const file = join(folder.path, 'nginx.conf')
  writeFileSync(file, config.replaceAll('{folder}', folder.path))
  const child = spawn(
    'nginx',
    ['-p', folder.path, '-e', join(folder.path, 'error.log'), '-c', file, '-g', 'daemon off;'],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  )
  let said = ''
  child.stderr.on('data', (bytes: Buffer) => (said += bytes.toString()))
  const exited = once(child, 'exit')
  const kill = () => child.kill('SIGTERM')
  process.once('exit', kill)

  async function close() {
    process.off('exit', kill)
    kill()
    if (child.exitCode === null) await exited
    folder.remove()
  }

  for (let attempt = 0; await isPortFree(port); attempt++) {
    if (child.exitCode === null && attempt < 200) await delay(25)
    else {
      await close()
      throw new Error(`nginx does not listen on ${port}:\n${said}`)
    }
  }
  return { url: `http://127.0.0.1:${port}`, close }
}

/** Answers every question for an address of a known name with all its addresses. */
export async function openDnsServer(addresses: Record<string, string[]>) {
  const socket = createSocket('udp4')
  socket.on('message', (question, from) => {
    const labels: string[] = []
    let at = 12
    for (let length = question[at] ?? 0; length > 0; length = question[at] ?? 0) {
      labels.push(question.toString('latin1', at + 1, at + 1 + length))
      at += 1 + length
    }
    const asked = question.subarray(12, at + 5)
    const isForAddress = question.readUInt16BE(at + 1) === 1
    const known = (isForAddress && addresses[labels.join('.')]) || []
    const header = Buffer.from(question.subarray(0, 12))
    header.writeUInt16BE(0x8180, 2)
    header.writeUInt16BE(known.length, 6)
    header.writeUInt32BE(0, 8)
    // A pointer to the name in the question, type A, class IN, 1 s to live, four bytes.
    const answers = known.map((one) =>
      Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, ...one.split('.').map(Number)]),
    )
    socket.send(Buffer.concat([header, asked, ...answers]), from.port, from.address)
  })
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  return {
    port: (socket.address() as AddressInfo).port,
    /** From the next question on. */
    change(name: string, to: string[]) {
      addresses[name] = to
    },
    async close() {
      socket.close()
      await once(socket, 'close')
    },
  }
}
