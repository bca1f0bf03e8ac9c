// Early responses to requests with a body, through real proxies: a proxy that is still sending when
// the gateway closes answers 502 of its own, or passes a reset on.

import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { findFreePort } from '../sandbox/ports.ts'
import { hasProxy, openProxy, type ProxyName } from '../sandbox/proxies.ts'
import { openRawClient } from '../sandbox/raw-client.ts'
import type { User } from './user.ts'
import { openWorld, type World } from './world.ts'

// Starting a proxy and sending large bodies takes long on a busy machine.
vi.setConfig({ testTimeout: 120_000 })

const mib = 1024 * 1024
const repeats = 10

interface Ports {
  port: number
  gateway: number
}

/** Each streams requests, so that responses can precede the end of a body. */
const configs: Record<ProxyName, (ports: Ports) => string> = {
  nginx: ({ port, gateway }) => `
    pid {folder}/pid; ${process.getuid?.() === 0 ? 'user root;' : ''}
    events {}
    http {
      access_log off; client_max_body_size 0;
      client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
      fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
      server {
        listen 127.0.0.1:${port};
        location / {
          proxy_pass http://127.0.0.1:${gateway};
          proxy_http_version 1.1;
          proxy_set_header Connection "";
        }
        location /unbuffered/ {
          proxy_pass http://127.0.0.1:${gateway}/;
          proxy_http_version 1.1;
          proxy_set_header Connection "";
          proxy_request_buffering off;
        }
      }
    }`,
  haproxy: ({ port, gateway }) => `
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend proxy
  bind 127.0.0.1:${port}
  default_backend gateway
backend gateway
  server gateway 127.0.0.1:${gateway}
`,
  caddy: ({ port, gateway }) => `
{
  admin off
  auto_https off
}
http://:${port} {
  bind 127.0.0.1
  reverse_proxy 127.0.0.1:${gateway}
}
`,
  envoy: ({ port, gateway }) => {
    const address = (port_value: number) => ({
      socket_address: { address: '127.0.0.1', port_value },
    })
    const type = (name: string) => `type.googleapis.com/envoy.extensions.filters.${name}`
    const routes = [{ match: { prefix: '/' }, route: { cluster: 'gateway' } }]
    const manager = {
      '@type': type('network.http_connection_manager.v3.HttpConnectionManager'),
      stat_prefix: 'proxy',
      route_config: { virtual_hosts: [{ name: 'all', domains: ['*'], routes }] },
      http_filters: [{ name: 'router', typed_config: { '@type': type('http.router.v3.Router') } }],
    }
    const endpoints = [{ lb_endpoints: [{ endpoint: { address: address(gateway) } }] }]
    return JSON.stringify({
      static_resources: {
        listeners: [
          {
            address: address(port),
            filter_chains: [{ filters: [{ name: 'http', typed_config: manager }] }],
          },
        ],
        clusters: [{ name: 'gateway', load_assignment: { cluster_name: 'gateway', endpoints } }],
      },
    })
  },
}

let world: World
let user: User
beforeAll(async () => {
  world = await openWorld({ env: { WORKER: 'false', RATE_LIMIT_PER_MINUTE: '100000' } })
  user = await world.createUser()
})
afterEach(() => world.expectNoLeaks())
afterAll(() => world.close())

const names = Object.keys(configs) as ProxyName[]

const suites = names.map((name) => ({ name, suite: describe.skipIf(!hasProxy(name)) }))

for (const { name, suite } of suites)
  suite(name, () => {
    let proxy: Awaited<ReturnType<typeof openProxy>> | undefined
    let port: number
    beforeAll(async () => {
      port = await findFreePort()
      const gateway = Number(new URL(world.url).port)
      proxy = await openProxy(name, { port, config: configs[name]({ port, gateway }) })
    })
    afterAll(() => proxy?.close())

    const prefixes = name === 'nginx' ? ['', '/unbuffered'] : ['']
    const json = 'Content-Type: application/json\r\n'
    const auth = () => `Authorization: Bearer ${user.token}\r\n`
    const cases: [status: number, path: string, headers: () => string][] = [
      [401, '/api/v1/presentations', () => json],
      [404, '/nothing', () => auth() + json],
      [405, '/api/v1/templates', () => auth() + json],
      [413, '/api/v1/presentations', () => auth() + json],
      [415, '/api/v1/presentations', () => `${auth()}Content-Type: text/plain\r\n`],
    ]

    describe.each(['length', 'chunked'])('a body of 9 MiB, %s', (framing) => {
      const chunked = framing === 'chunked'

      test.each(cases)('%i for %s reaches the client', async (status, path, headers) => {
        const statuses: (number | undefined)[] = []
        const runs = prefixes.flatMap((prefix) => Array<string>(repeats).fill(prefix))
        for (const prefix of runs) {
          const client = openRawClient({ port })
          const length = chunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${9 * mib}`
          await client.send(
            `POST ${prefix}${path} HTTP/1.1\r\nHost: x\r\n${headers()}${length}\r\n\r\n`,
          )
          await client.sendBody(9 * mib, { chunked })
          const [response] = await client.responses()
          statuses.push(response?.status)
          client.close()
        }
        expect(statuses).toEqual(runs.map(() => status))
      })
    })

    test('a client that expects 100 Continue gets its response', async () => {
      for (const [status, path, headers] of cases) {
        const client = openRawClient({ port })
        await client.send(
          `POST ${path} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n${headers()}Content-Length: ${9 * mib}\r\n\r\n`,
        )
        // A proxy may answer 100 itself, because it reads the body anyway.
        await client.receivedMatch(/HTTP\/1\.1 \d+/)
        if (client.received().includes('100 Continue')) await client.sendBody(9 * mib)
        expect((await client.responses())[0]?.status, path).toBe(status)
        client.close()
      }
      const body = '{"content":"x"}'
      const client = openRawClient({ port })
      await client.send(
        `POST /api/v1/presentations HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n${auth()}${json}Content-Length: ${body.length}\r\n\r\n`,
      )
      await client.receivedMatch(/100 Continue\r\n\r\n/)
      await client.send(body)
      expect((await client.responses())[0]?.status).toBe(202)
      client.close()
    })
  })
