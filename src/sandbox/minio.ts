// A real MinIO behind the same front as the emulated store, for whoever has its program:
// `MINIO_BINARY=/path/to/minio npm test`.

import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { request as forward, type IncomingMessage, type ServerResponse } from 'node:http'
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

/** The real one when the environment names it, else the emulated one. */
export function openConfiguredObjectStore(options: ObjectStoreOptions = {}): Promise<ObjectStore> {
  return process.env['MINIO_BINARY'] ? openMinio(options) : openObjectStore(options)
}

export async function openMinio({
  dir,
  port,
  binary = process.env['MINIO_BINARY'],
}: ObjectStoreOptions & { binary?: string | undefined } = {}): Promise<ObjectStore> {
  if (!binary) throw new Error('MINIO_BINARY does not name the MinIO server program')
  const temporary = dir === undefined ? openTemporaryFolder('minio') : undefined
  const folder = dir ?? join(temporary?.path ?? '', 'store')
  const accessKey = `sandbox-${randomBytes(4).toString('hex')}`
  const secretKey = randomBytes(20).toString('hex')
  const inner = await findFreePort()
  const child = spawn(
    binary,
    [
      'server',
      '--quiet',
      '--address',
      `127.0.0.1:${inner}`,
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
  // Only a clean end of ours is noticed here; the store has no keeper, since few runs use it.
  process.once('exit', () => child.kill('SIGKILL'))
  try {
    await untilReady(`http://127.0.0.1:${inner}/minio/health/ready`, child)
    const front = await openFaultServer({
      port,
      handle: (request, response) => pass(request, response, inner),
    })
    return {
      ...describeStore(front, accessKey, secretKey),
      async close() {
        await front.close()
        await stop()
      },
    }
  } catch (error) {
    await stop()
    throw error
  }
}

async function untilReady(url: string, child: ChildProcess) {
  for (let attempt = 0; attempt < 300; attempt++) {
    if (child.exitCode !== null)
      throw new Error(`MinIO ended at its start (exit ${child.exitCode})`)
    const response = await fetch(url).catch(() => undefined)
    await response?.body?.cancel()
    if (response?.ok) return
    await delay(100)
  }
  throw new Error('MinIO was not ready in 30 s')
}

/** Hands the request on as it came: the signature covers the Host header, so that stays too. */
function pass(request: IncomingMessage, response: ServerResponse, port: number) {
  const { method, url: path, rawHeaders } = request
  const onward = forward({
    host: '127.0.0.1',
    port,
    method,
    path,
    headers: rawHeaders as unknown as Record<string, string>,
    setHost: false,
  })
  onward.on('response', (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.rawHeaders)
    pipeline(answer, response, () => undefined)
  })
  onward.on('error', () => request.socket.destroy())
  pipeline(request, onward, () => undefined)
}
