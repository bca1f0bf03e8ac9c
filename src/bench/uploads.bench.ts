// Fifty uploads of 25 MiB at once, into the store. Peer: undici alone puts the same bytes into the
// same store, in one request each: the gateway does not know the length of a file and has to send
// parts, which the sandbox's store joins afterwards. Targets: ≥ 0.2 × the rate, ≤ 100 MiB of
// additional memory. With MINIO_BINARY the store is MinIO.
import { Readable } from 'node:stream'
import { Client } from 'minio'
import { request } from 'undici'
import { type Benchmark, createResult, mib } from './benchmark.ts'
import type { BenchEnvironment } from './environment.ts'
import { memoryBytes, peakMemoryBytes, resetPeakMemory } from './process-usage.ts'
import { nowMs } from './timestamps.ts'

const chunk = Buffer.alloc(64 * 1024, 'The ferry runs until the bridge is repaired. ')
/** Below the limit of four at once. */
const uploadsPerUser = 4

export const uploads: Benchmark = {
  name: 'uploads',
  async run(environment, { isQuick }) {
    const count = isQuick ? 10 : 50
    const bytes = (isQuick ? 6 : 25) * 1024 * 1024
    const gateway = await environment.startGateway({
      database: 'uploading',
      env: { QUOTA_SOURCES_MIB: '0' },
    })
    try {
      await uploadAll(environment, { url: gateway.url, count: 2, bytes })
      const before = memoryBytes(gateway.pid)
      resetPeakMemory(gateway.pid)
      const own = await uploadAll(environment, { url: gateway.url, count, bytes })
      const addedMemory = peakMemoryBytes(gateway.pid) - before
      const peer = await putAll(environment, { count, bytes })
      const label = `${count} uploads of ${bytes / 1024 / 1024} MiB at once`
      return [
        createResult({
          measure: label,
          own,
          peer,
          peerName: 'undici alone',
          format: (value) => `${mib(value)}/s`,
          target: '≥ 0.2 ×',
          atLeast: 0.2 * peer,
        }),
        createResult({
          measure: `${label}: additional memory`,
          own: addedMemory,
          format: mib,
          target: '≤ 100 MiB',
          atMost: 100 * 1024 * 1024,
        }),
      ]
    } finally {
      await gateway.stop()
    }
  },
}

interface Load {
  count: number
  bytes: number
}

/** Bytes per second. */
async function measure({ count, bytes }: Load, send: (index: number) => Promise<void>) {
  const since = nowMs()
  await Promise.all(Array.from({ length: count }, (_, index) => send(index)))
  return (count * bytes * 1000) / (nowMs() - since)
}

function* repeated(bytes: number) {
  for (let left = bytes; left > 0; left -= chunk.length) yield chunk.subarray(0, left)
}

/** As clients send a form with one file. */
async function uploadAll(
  { token: createToken }: BenchEnvironment,
  { url, ...load }: Load & { url: string },
): Promise<number> {
  const users = Math.ceil(load.count / uploadsPerUser)
  const tokens = await Promise.all(
    Array.from({ length: users }, (_, n) => createToken(`user-${n}`)),
  )
  const head = Buffer.from(
    '--b\r\nContent-Disposition: form-data; name="files"; filename="notes.txt"\r\n\r\n',
  )
  const end = Buffer.from('\r\n--b--\r\n')
  return measure(load, async (index) => {
    const response = await request(`${url}/api/v1/sources`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${tokens[index % users]}`,
        'content-type': 'multipart/form-data; boundary=b',
        'content-length': String(head.length + load.bytes + end.length),
      },
      body: Readable.from(form(head, load.bytes, end)),
      bodyTimeout: 0,
      headersTimeout: 0,
    })
    const text = await response.body.text()
    if (response.statusCode !== 201)
      throw new Error(`an upload got ${response.statusCode}: ${text}`)
  })
}

function* form(head: Buffer, bytes: number, end: Buffer) {
  yield head
  yield* repeated(bytes)
  yield end
}

async function putAll({ objects }: BenchEnvironment, load: Load): Promise<number> {
  const { hostname, port } = new URL(objects.endpoint)
  const { accessKey, secretKey, region } = objects
  const options = { endPoint: hostname, port: Number(port), useSSL: false }
  const client = new Client({ ...options, accessKey, secretKey, region })
  return measure(load, async (index) => {
    const url = await client.presignedPutObject('presentations', `bench/upload-${index}`, 3600)
    const response = await request(url, {
      method: 'PUT',
      headers: { 'content-length': String(load.bytes) },
      body: Readable.from(repeated(load.bytes)),
      bodyTimeout: 0,
      headersTimeout: 0,
    })
    await response.body.dump()
    if (response.statusCode !== 200) throw new Error(`the store responded ${response.statusCode}`)
  })
}
