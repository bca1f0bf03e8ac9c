// The rules of docker-compose.yml, presenton.env and the Dockerfile. The tests beside this file run
// what they contain: SQL, policies, proxy configurations and alerts.

import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { openGateway } from '../sandbox/gateway.ts'
import { findFreePort } from '../sandbox/ports.ts'
import {
  type ComposeFile,
  interpolate,
  minimalEnv,
  parseSeconds,
  readComposeFile,
  readPresentonEnv,
  readRootFile,
} from './deployment-files.ts'

const { services, networks, configs } = readComposeFile()
const gatewayServices = ['gateway', 'worker'] as const

const required = Object.keys(minimalEnv).filter(
  (name) => !['OPENAI_API_KEY', 'AUTH_JWT_SECRET'].includes(name),
)

test.each(required)('without %s Compose stops and names it', (name) => {
  const { [name as keyof typeof minimalEnv]: _, ...rest } = minimalEnv
  expect(() => [readComposeFile(rest), readPresentonEnv(rest)]).toThrow(name)
})

test.each(['AUTH_JWKS_URL', 'AUTH_JWT_SECRET', 'AUTH_JWT_PUBLIC_KEY'])(
  'with %s as the only way to verify tokens the files are complete',
  (name) => {
    const { AUTH_JWT_SECRET: _, ...rest } = minimalEnv
    expect(
      readComposeFile({ ...rest, [name]: 'given' }).services['gateway']?.environment,
    ).toMatchObject({ [name]: 'given' })
  },
)

test('without any way to verify tokens the gateway names all three variables', async () => {
  const { environment } = readComposeFile({ ...minimalEnv, AUTH_JWT_SECRET: '' }).services[
    'gateway'
  ]!
  await expect(openGateway(environment)).rejects.toThrow(
    'AUTH_JWKS_URL, AUTH_JWT_SECRET, AUTH_JWT_PUBLIC_KEY',
  )
})

test('no committed file contains a secret', () => {
  const values = Object.values(
    readPresentonEnv(Object.fromEntries(Object.keys(minimalEnv).map((name) => [name, 'given']))),
  )
  expect(values.filter((value) => /^(sk-|AIza)/.test(value))).toEqual([])
  for (const name of ['docker-compose.yml', 'presenton.env']) {
    const secretLines =
      readRootFile(name).match(/^ *\w*(PASSWORD|SECRET|API_KEY|SECRET_KEY)\w*[:=] ?.*$/gm) ?? []
    expect(secretLines.filter((line) => !/[:=] ?\$\{/.test(line))).toEqual([])
  }
})

test('publishes only the proxy and Grafana, by default on 127.0.0.1 only', () => {
  const published = Object.entries(services).filter(([, { ports }]) => ports)
  expect(Object.fromEntries(published.map(([name, { ports }]) => [name, ports]))).toEqual({
    proxy: ['127.0.0.1:3000:3000', '127.0.0.1:3002:3002', '127.0.0.1:9000:9000'],
    grafana: ['127.0.0.1:3001:3000'],
  })
})

test('only the gateway can connect to Presenton, and Presenton only to its database and the internet', () => {
  const members = (network: string) =>
    Object.keys(services).filter((name) => services[name]?.networks.includes(network))
  expect(members('upstream').sort()).toEqual(['gateway', 'presenton', 'worker'])
  expect(members('internet')).toEqual(['presenton'])
  expect(members('database').sort()).toEqual(['gateway', 'postgres', 'presenton', 'worker'])
  expect(members('objects')).not.toContain('presenton')
  for (const name of ['upstream', 'database', 'objects'])
    expect(networks[name]).toEqual({ internal: true })
})

test('the gateway runs unprivileged, with a read-only root and no capabilities', () => {
  for (const name of gatewayServices) {
    expect(services[name]).toMatchObject({
      user: '1000:1000',
      read_only: true,
      init: true,
      cap_drop: ['ALL'],
      security_opt: ['no-new-privileges:true'],
    })
  }
})

test('no read-only container has inline configs, which Compose cannot mount there', () => {
  const unsupported = Object.entries(services).filter(
    ([, { read_only, configs: used }]) => read_only && used,
  )
  expect(unsupported.map(([name]) => name)).toEqual([])
})

test('the stop grace period is longer than the gateway needs to shut down', () => {
  for (const name of gatewayServices) {
    const { environment, stop_grace_period } = services[name]!
    const longestSeconds = Math.max(
      Number(environment['SHUTDOWN_GRACE_SECONDS']),
      Number(environment['DRAIN_SECONDS']),
    )
    expect(parseSeconds(stop_grace_period)).toBeGreaterThan(longestSeconds + 5)
  }
  expect(services['worker']).toMatchObject({
    profiles: ['worker'],
    environment: { WORKER: 'true' },
  })
  expect(
    readComposeFile({ ...minimalEnv, GATEWAY_WORKER: 'false' }).services['gateway']?.environment[
      'WORKER'
    ],
  ).toBe('false')
})

test('Presenton has a pinned version, resource limits, a login from the start, and no telemetry', () => {
  expect(services['presenton']?.image).toMatch(/^ghcr\.io\/presenton\/presenton:v\d+\.\d+\.\d+/)
  expect(services['presenton']?.deploy.resources.limits).toMatchObject({ cpus: '2', memory: '4G' })
  expect(readPresentonEnv()).toMatchObject({
    AUTH_USERNAME: 'gateway',
    AUTH_PASSWORD: minimalEnv.PRESENTON_PASSWORD,
    CAN_CHANGE_KEYS: 'false',
    DISABLE_ANONYMOUS_TELEMETRY: 'true',
    DISABLE_ANONYMOUS_TRACKING: 'true',
    MIGRATE_DATABASE_ON_STARTUP: 'true',
    OPENAI_API_KEY: minimalEnv.OPENAI_API_KEY,
  })
  expect(services['gateway']?.environment).toMatchObject({
    PRESENTON_USERNAME: 'gateway',
    PRESENTON_PASSWORD: minimalEnv.PRESENTON_PASSWORD,
    PRESENTON_ACCOUNTS: 'per-user',
    PRESENTON_ACCOUNT_SECRET: minimalEnv.PRESENTON_ACCOUNT_SECRET,
  })
})

test('every image is pinned to a release, and every config is used', () => {
  for (const [name, { image }] of Object.entries(services))
    expect(image, name).toMatch(/:(v?\d+\.\d+(\.\d+)?[-\w.]*|local|[0-9a-f]{12})$/)
  expect(services['minio']?.build?.dockerfile_inline).toMatch(
    /github\.com\/minio\/minio@v0\.0\.0-\d{14}-[0-9a-f]{12}\n/,
  )
  const used = Object.values(services).flatMap(
    (service) => service.configs?.map(({ source }) => source) ?? [],
  )
  expect(used.sort()).toEqual(Object.keys(configs).sort())
})

// The script of Postgres runs once, on an empty folder, so its change must not restart the
// database.
test.each(['proxy', 'presenton', 'minio-setup', 'prometheus', 'grafana'])(
  'a changed config of %s changes its label, so that `up` recreates the container',
  (name) => {
    const raw = parse(readRootFile('docker-compose.yml'), { merge: true }) as ComposeFile
    const { configs: used = [], labels } = raw.services[name]!
    const contents = used.map(({ source }) => raw.configs[source]!.content)
    const digest = createHash('sha256').update(contents.join('\0')).digest('hex').slice(0, 12)
    expect(labels).toEqual({ 'configs-digest': digest })
  },
)

test('replicas of the gateway are a variable of .env, as its role is', () => {
  const { deploy } = readComposeFile({ ...minimalEnv, GATEWAY_REPLICAS: '3' }).services['gateway']!
  expect(deploy).toEqual({ replicas: '3', resources: { limits: { memory: '2G' } } })
})

test('one service builds the image of the store, and no limit of open files is demanded', () => {
  expect(services['minio-setup']).toMatchObject({ pull_policy: 'never' })
  expect(services['minio-setup']).not.toHaveProperty('build')
  expect(services['minio-setup']?.image).toBe(services['minio']?.image)
  for (const service of Object.values(services)) expect(service).not.toHaveProperty('ulimits')
})

test('the gateway reads every variable that Compose sets', async () => {
  const names = Object.keys({
    ...services['gateway']?.environment,
    ...services['worker']?.environment,
  })
  const invalidEnv = Object.fromEntries(names.map((name) => [name, '\u0001']))
  const message = await openGateway(invalidEnv).then(
    () => '',
    (error: Error) => error.message,
  )
  expect(names.filter((name) => !new RegExp(`^- ${name} `, 'm').test(message))).toEqual([])
})

test.each(gatewayServices)(
  'the environment of the service %s is enough to start it',
  async (name) => {
    const opsPort = await findFreePort()
    const environment = {
      ...services[name]?.environment,
      OPS_PORT: String(opsPort),
      LOG_LEVEL: 'silent',
      DRAIN_SECONDS: '0',
    }
    // The host names of other containers do not resolve here: the gateway is live and waits for
    // them.
    const gateway = await openGateway(environment, { waitUntilReady: false })
    try {
      const live = await fetch(`http://127.0.0.1:${opsPort}/health/live`)
      expect(live.status).toBe(200)
      expect((await fetch(`${gateway.url}/metrics`)).status).toBe(404)
    } finally {
      await gateway.close()
    }
  },
)

test('the image contains only what the gateway needs', () => {
  const dockerfile = readRootFile('Dockerfile')
  expect(dockerfile).toMatch(/^FROM node:24-bookworm-slim/m)
  expect(dockerfile).toMatch(/^USER node$/m)
  expect(dockerfile).toMatch(/^CMD \["node", "dist\/main\.js"\]$/m)
  expect(dockerfile).toMatch(/npm ci --omit=dev/)
  // An allow-list: the first line excludes everything, the others include single paths.
  const [first, ...included] = readRootFile('.dockerignore')
    .split('\n')
    .filter((line) => line && !line.startsWith('#'))
  expect(first).toBe('*')
  expect(included.filter((line) => /env/.test(line))).toEqual([])
})

test('interpolates variables as Compose does', () => {
  const env = { A: 'a', EMPTY: '' }
  expect(interpolate(`\${A} \${EMPTY:-\${B:-b}} $$c \${A:?no}\${B}\${EMPTY?no}`, env)).toBe(
    'a b $c a',
  )
  expect(() => interpolate(`\${EMPTY:?why}`, env)).toThrow('EMPTY: why')
  expect(() => interpolate(`\${B?why}`, env)).toThrow('B: why')
  expect(() => interpolate(`\${A:-\${B:?why}}`, env)).toThrow('B: why')
})
