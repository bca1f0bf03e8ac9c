// Real S3 servers that record requests and inject faults like the emulated store. S3_TEST_SERVERS
// names them for the tests of the store; MINIO_BINARY runs all tests and benchmarks on MinIO.

import { randomBytes } from 'node:crypto'
import { type IncomingMessage, request as openRequest, type ServerResponse } from 'node:http'
import { pipeline } from 'node:stream'
import { openFaultServer } from './fault-server.ts'
import {
  describeStore,
  type ObjectStore,
  type ObjectStoreOptions,
  openObjectStore,
} from './object-store.ts'
import { isStoreName, startStore } from './store-programs.ts'

/** A real MinIO if MINIO_BINARY is set, else the emulated store. */
export function openConfiguredObjectStore(options: ObjectStoreOptions = {}): Promise<ObjectStore> {
  return process.env['MINIO_BINARY'] ? openMinio(options) : openObjectStore(options)
}

export async function openMinio(options: ObjectStoreOptions = {}): Promise<ObjectStore> {
  const binary = process.env['MINIO_BINARY']
  if (!binary) throw new Error('set MINIO_BINARY to the path of the MinIO server program')
  return openRealStore('minio', binary, options)
}

export interface TestedStore {
  name: string
  open: () => Promise<ObjectStore>
}

/** The stores that the tests of the store run on: the emulated one, and those that are named. */
export function listTestedStores(named = process.env['S3_TEST_SERVERS'] ?? ''): TestedStore[] {
  const real = named.split(',').flatMap((entry): TestedStore[] => {
    if (!entry.trim()) return []
    const [name = '', ...rest] = entry.trim().split('=')
    const where = rest.join('=')
    if (!where || (!isStoreName(name) && !where.startsWith('http://')))
      throw new Error(
        `S3_TEST_SERVERS: "${name}" must be minio, seaweedfs or versitygw with the path of its program, or have a URL http://KEY:SECRET@HOST:PORT`,
      )
    const open = where.startsWith('http://')
      ? () => openRunningStore(new URL(where))
      : () => openRealStore(name, where)
    return [{ name, open }]
  })
  return [{ name: 'the emulated store', open: () => openConfiguredObjectStore() }, ...real]
}

async function openRealStore(
  name: string,
  binary: string,
  { dir, port }: ObjectStoreOptions = {},
): Promise<ObjectStore> {
  const accessKey = `sandbox-${randomBytes(4).toString('hex')}`
  const secretKey = randomBytes(20).toString('hex')
  const program = await startStore({ name, binary, dir, accessKey, secretKey })
  try {
    const server = await openFaultServer({
      port,
      handle: (request, response) => forward(request, response, '127.0.0.1', program.port),
    })
    return {
      ...describeStore(server, accessKey, secretKey),
      async close() {
        await server.close()
        await program.stop()
      },
    }
  } catch (error) {
    await program.stop()
    throw error
  }
}

async function openRunningStore({ hostname, port, username, password }: URL): Promise<ObjectStore> {
  const server = await openFaultServer({
    handle: (request, response) => forward(request, response, hostname, Number(port || 80)),
  })
  return describeStore(server, decodeURIComponent(username), decodeURIComponent(password))
}

/** Forwards the request unchanged, with its Host header, which the signature covers. */
function forward(request: IncomingMessage, response: ServerResponse, host: string, port: number) {
  const { method, url: path, rawHeaders } = request
  const forwarded = openRequest({
    host,
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
