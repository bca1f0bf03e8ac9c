// What Kubernetes does with the base: migrates in a Job, and replaces three replicas one after the
// other behind nginx. Here a pod gets SIGTERM first and leaves the balancer five seconds later,
// which is worse than what preStop allows.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { builtProgram } from '../sandbox/built-program.ts'
import type { SpawnedGateway } from '../sandbox/gateway.ts'
import { hasNginx, openDnsServer, openNginx } from '../sandbox/nginx.ts'
import { findFreePort } from '../sandbox/ports.ts'
import { openReader } from '../sandbox/reader.ts'
import { openTestDatabase } from '../sandbox/test-database.ts'
import { waitFor } from '../sandbox/wait-for.ts'
import { environmentOf, findManifest } from './kubernetes/manifests.ts'
import type { User } from './user.ts'
import { openWorld, type World } from './world.ts'

const replicas = 3
const presentations = 20
const readersOfEach = 10
/** A pod that ends still serves for so long, until balancers have learned it. */
const preStopMs =
  1_000 *
  findManifest('Deployment', 'gateway').spec.template.spec.containers[0].lifecycle.preStop.sleep
    .seconds

let world: World
beforeAll(async () => {
  world = await openWorld({ replicas: 0 })
})
afterAll(() => world.close())

/** The base's environment, with the services of the world in place of the cluster's. */
function environment(kind: string, name: string): Record<string, string> {
  const given = environmentOf(findManifest(kind, name), {})
  // The world's Presenton has no users, which the slide maker needs.
  const isOutside = /^(DATABASE_URL|PRESENTON_|MINIO_|AUTH_|PUBLIC_URL|MAKER_)/
  return Object.fromEntries(
    Object.entries(given).filter(([key, value]) => !isOutside.test(key) && value !== ''),
  )
}

test('the Job migrates an empty database and ends', async () => {
  const database = await openTestDatabase({ empty: true })
  const child = spawn(process.execPath, [builtProgram, 'migrate'], {
    env: {
      ...world.variables,
      ...environment('Job', 'gateway-migrate'),
      DATABASE_URL: database.url,
    } as NodeJS.ProcessEnv,
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  expect(await once(child, 'exit')).toEqual([0, null])
  const replica = await world.spawnReplica({
    ...environment('Deployment', 'gateway'),
    ...{ DATABASE_URL: database.url, PORT: '0', OPS_PORT: undefined },
  })
  await waitFor(async () => expect((await fetch(`${replica.url}/health/ready`)).status).toBe(200))
  await replica.kill('SIGTERM')
  await database.close()
})

describe.skipIf(!hasNginx)('behind nginx', () => {
  test('a rolling restart under 200 streams fails no stream and no request', async () => {
    const cluster = await openCluster()
    const { worker, nginx } = cluster
    const { gates } = world.presenton
    gates.hold('slides:slide')
    const users = await Promise.all(Array.from({ length: presentations }, () => world.createUser()))
    const ids = await Promise.all(
      users.map(async (user) => {
        const { status, body } = await user.post(undefined, {}, nginx.url)
        expect({ status, body }).toMatchObject({ status: 202 })
        return body.id as string
      }),
    )
    const failures: string[] = []
    const follow = (user: User, id: string) =>
      readToEnd({ url: `${nginx.url}/api/v1/presentations/${id}/events`, user, failures })
    const streams = users.flatMap((user, n) =>
      Array.from({ length: readersOfEach }, () => follow(user, ids[n] ?? '')),
    )
    expect(streams).toHaveLength(200)
    const isOver = new AbortController()
    const requests = sendRequests({ url: nginx.url, users, ids, failures, signal: isOver.signal })

    for (let n = 0; n < replicas; n += 1) await cluster.replace(n)

    gates.releaseAll()
    const logs = await Promise.all(streams)
    isOver.abort()
    expect(failures).toEqual([])
    expect(await requests).toBeGreaterThan(100)
    for (const log of logs) {
      expect(log.ids).toEqual(log.ids.map((_, index) => index + 1))
      expect(log.last).toBe('complete')
    }
    await worker.kill('SIGTERM')
    await cluster.close()
  }, 300_000)
})

async function openCluster() {
  // Pods have addresses of their own and the same ports.
  const network = `127.${20 + (process.pid % 200)}.${1 + (Math.floor(process.pid / 200) % 200)}`
  let pods = 0
  const dns = await openDnsServer({ 'gateway.test': [] })
  const running = new Map<string, SpawnedGateway>()
  const listenPort = await findFreePort()
  const { PORT: port, OPS_PORT: opsPort } = environment('Deployment', 'gateway')
  const nginx = await openNginx({
    port: listenPort,
    config: `
      pid {folder}/pid;
      events { worker_connections 2048; }
      http {
        access_log off;
        client_body_temp_path {folder}/body;
        proxy_temp_path {folder}/proxy;
        resolver 127.0.0.1:${dns.port} valid=1s;
        server {
          listen 127.0.0.1:${listenPort};
          location / {
            set $gateway http://gateway.test:${port};
            proxy_pass $gateway;
            proxy_http_version 1.1;
            proxy_set_header Connection '';
            proxy_set_header Host $http_host;
            proxy_buffering off;
            proxy_request_buffering off;
            proxy_read_timeout 3600s;
            proxy_next_upstream error timeout http_503;
          }
        }
      }`,
  })
  const publish = () => dns.change('gateway.test', [...running.keys()])
  const publicUrl = { PUBLIC_URL: nginx.url, TRUST_PROXY: '127.0.0.0/8' }

  async function start(): Promise<void> {
    const host = `${network}.${++pods}`
    const replica = await world.spawnReplica({
      ...environment('Deployment', 'gateway'),
      ...publicUrl,
      HOST: host,
    })
    await waitFor(
      async () => expect((await fetch(`http://${host}:${opsPort}/health/ready`)).status).toBe(200),
      { timeout: 60_000 },
    )
    running.set(host, replica)
    publish()
  }

  for (let n = 0; n < replicas; n += 1) await start()
  const worker = await world.spawnReplica({
    ...environment('Deployment', 'worker'),
    ...publicUrl,
    ...{ HOST: `${network}.200`, DRAIN_SECONDS: '5' },
  })

  return {
    nginx,
    worker,
    /** As with `maxUnavailable: 0`: first a new pod that is ready, then the end of the old one. */
    async replace(n: number): Promise<void> {
      const old = [...running.keys()][0] ?? ''
      await start()
      const replica = running.get(old)
      running.delete(old)
      publish()
      await delay(preStopMs)
      replica?.child.kill('SIGTERM')
      expect(await replica?.exited, `replica ${n}`).toEqual({ code: 0, signal: null })
    },
    async close() {
      for (const replica of running.values()) await replica.kill('SIGTERM')
      await nginx.close()
      await dns.close()
    },
  }
}

interface ReadOptions {
  url: string
  user: User
  failures: string[]
}

/** Follows a log as an EventSource does, over as many connections as it takes. */
async function readToEnd({ url, user, failures }: ReadOptions) {
  const ids: number[] = []
  let last = ''
  while (last !== 'complete' && last !== 'error') {
    const reader = await openReader(url, { token: user.token, lastEventId: ids.at(-1) })
    if (reader.status !== 200) failures.push(`a stream got ${reader.status}`)
    for await (const { id, data } of reader) {
      if (id === undefined) continue
      ids.push(id)
      last = data.type
    }
    const ending = await reader.ended
    if (ending !== 'clean') failures.push(`a stream was ${ending}`)
    if (failures.length > 20) break
  }
  return { ids, last }
}

/**
 * Reads and writes one after the other, until the signal. Returns how many responses were right.
 */
async function sendRequests({
  url,
  users,
  ids,
  failures,
  signal,
}: {
  url: string
  users: User[]
  ids: string[]
  failures: string[]
  signal: AbortSignal
}): Promise<number> {
  let right = 0
  for (let n = 0; !signal.aborted; n += 1) {
    const user = users[n % users.length] as User
    const path = `/presentations/${ids[n % ids.length]}`
    const isWrite = n % 5 === 0
    const { status } = await user
      .api(path, {
        baseUrl: url,
        ...(isWrite && { method: 'PATCH', body: { title: `Title ${n}` } }),
      })
      .catch((error: Error) => ({ status: `${error.message} ${error.cause}` }))
    if (status === 200) right += 1
    else failures.push(`${isWrite ? 'PATCH' : 'GET'} got ${status}`)
    await delay(20)
  }
  return right
}
