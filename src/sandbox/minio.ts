// A real MinIO that records requests and injects faults like the emulated store. Run the tests
// against it with `MINIO_BINARY=/path/to/minio npm test`.

import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { type IncomingMessage, request as openRequest, type ServerResponse } from 'node:http'
import { join } from 'node:path'
import { pipeline } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { openFaultServer } from './fault-server.ts'
import {
  describeStore,
  type ObjectStore,
  type ObjectStoreOptions,
  openObjectStore,
} from './object-store.ts'
import { findFreePort } from './ports.ts'
import { openTemporaryFolder } from './temporary-folder.ts'

/** A real MinIO if MINIO_BINARY is set, else the emulated store. */
export function openConfiguredObjectStore(options: ObjectStoreOptions = {}): Promise<ObjectStore> {
  return process.env['MINIO_BINARY'] ? openMinio(options) : openObjectStore(options)
}

export async function openMinio({
  dir,
  port,
  binary = process.env['MINIO_BINARY'],
}: ObjectStoreOptions & { binary?: string | undefined } = {}): Promise<ObjectStore> {
  if (!binary) throw new Error('set MINIO_BINARY to the path of the MinIO server program')
  const temporary = dir === undefined ? openTemporaryFolder('minio') : undefined
  const folder = dir ?? join(temporary?.path ?? '', 'store')
  const accessKey = `sandbox-${randomBytes(4).toString('hex')}`
  const secretKey = randomBytes(20).toString('hex')
  const minioPort = await findFreePort()
  const child = spawn(
    binary,
    [
      'server',
      '--quiet',
      '--address',
      `127.0.0.1:${minioPort}`,
      '--console-address',
      `127.0.0.1:${await findFreePort()}`,
      folder,
    ],
    {
      env: {
        ...process.env,
        MINIO_ROOT_USER: accessKey,
        MINIO_ROOT_PASSWORD: secretKey,
        MINIO_BROWSER: 'off',
        MINIO_UPDATE: 'off',
      },
      stdio: 'ignore',
    },
  )
  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => resolve())
    child.once('error', () => resolve())
  })
  async function stop() {
    child.kill('SIGKILL')
    await exited
    temporary?.remove()
  }
  // MinIO has no watchdog, since few runs use it: after `kill -9` of this process it keeps running.
  process.once('exit', () => child.kill('SIGKILL'))
  try {
    await waitUntilReady(`http://127.0.0.1:${minioPort}/minio/health/ready`, child)
    const server = await openFaultServer({
      port,
      handle: (request, response) => forward(request, response, minioPort),
    })
    return {
      ...describeStore(server, accessKey, secretKey),
      async close() {
        await server.close()
        await stop()
      },
    }
  } catch (error) {
    await stop()
    throw error
  }
}

async function waitUntilReady(url: string, child: ChildProcess) {
  for (let attempt = 0; attempt < 300; attempt++) {
    if (child.exitCode !== null)
      throw new Error(`MinIO exited with ${child.exitCode} during startup`)
    const response = await fetch(url).catch(() => undefined)
    await response?.body?.cancel()
    if (response?.ok) return
    await delay(100)
  }
  throw new Error('MinIO was not ready in 30 s')
}

/** Forwards the request unchanged, with its Host header, which the signature covers. */
function forward(request: IncomingMessage, response: ServerResponse, port: number) {
  const { method, url: path, rawHeaders } = request
  const forwarded = openRequest({
    host: '127.0.0.1',
    port,
    method,
    path,
    headers: rawHeaders as unknown as Record<string, string>,
    setHost: false,
  })
  forwarded.on('response', (result) => {
    response.writeHead(result.statusCode ?? 502, result.rawHeaders)
    pipeline(result, response, () => undefined)
  })
  forwarded.on('error', () => request.socket.destroy())
  pipeline(request, forwarded, () => undefined)
}
