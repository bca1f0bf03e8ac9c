// deploy/kubernetes: valid for the versions of Kubernetes it is for, and in agreement with the
// configuration, the image and Compose.

import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { readConfig } from './config/config.ts'
import { variables } from './config/variables.ts'
import { readComposeFile } from './journeys/deployment-files.ts'
import {
  baseManifests,
  createCheck,
  environmentOf,
  findManifest,
  listFiles,
  type Manifest,
  readEnvFile,
  readKustomization,
  readManifests,
  readText,
  versions,
} from './journeys/kubernetes/manifests.ts'

const root = fileURLToPath(new URL('../', import.meta.url))
const overlays = ['small', 'production'] as const
const workloads = [
  findManifest('Deployment', 'gateway'),
  findManifest('Deployment', 'worker'),
  findManifest('Job', 'gateway-migrate'),
]
const presenton = findManifest('StatefulSet', 'presenton')
const podOf = ({ spec }: Manifest) => spec.template.spec
const containerOf = (manifest: Manifest) => podOf(manifest).containers[0]
const nameOf = ({ kind, metadata }: Manifest) => `${kind} ${metadata.name}`

const secrets = {
  DATABASE_URL: 'postgres://gateway:secret@postgres.databases:5432/decks',
  PRESENTON_PASSWORD: 'password-of-presenton',
  PRESENTON_ACCOUNT_SECRET: Buffer.alloc(32, 7).toString('base64'),
  MINIO_ACCESS_KEY: 'gateway',
  MINIO_SECRET_KEY: 'secret-of-the-store',
}

describe.each(versions)('Kubernetes %s', (version) => {
  const check = createCheck(version)

  test('accepts every manifest', () => {
    const extra = listFiles('overlays/production').flatMap((name) =>
      readManifests(`overlays/production/${name}`),
    )
    expect(baseManifests.length).toBeGreaterThan(18)
    for (const manifest of [...baseManifests, ...extra])
      expect(check(manifest), nameOf(manifest)).toEqual([])
  })

  test('would refuse a misspelt member', () => {
    const [gateway] = structuredClone(workloads)
    gateway.spec.template.spec.containers[0].imagee = 'x'
    expect(check(gateway)).not.toEqual([])
  })

  const hasKubectl = spawnSync('kubectl', ['kustomize', '--help']).status === 0
  test.skipIf(!hasKubectl).each(['base', 'overlays/small', 'overlays/production'])(
    'accepts what kustomize makes of %s',
    (path) => {
      const rendered = execFileSync('kubectl', ['kustomize', `deploy/kubernetes/${path}`], {
        cwd: root,
        encoding: 'utf8',
      })
      const manifests: Manifest[] = parseAllDocuments(rendered).map((one) => one.toJS())
      expect(manifests.length).toBeGreaterThan(20)
      for (const manifest of manifests) expect(check(manifest), nameOf(manifest)).toEqual([])
      const maps = manifests.filter(({ kind }) => kind === 'ConfigMap')
      const names = maps.map(({ metadata }) => metadata.name)
      const first = manifests.filter(
        ({ metadata }) => metadata.labels?.['presenton-gateway/step'] === 'migrate',
      )
      expect(first.map(({ kind }) => kind).sort()).toEqual(['ConfigMap', 'Job'])
      const gateway = manifests.find((one) => nameOf(one) === 'Deployment gateway')
      expect(names).toContain(containerOf(gateway).envFrom[0].configMapRef.name)
    },
  )
})

test('every file is a resource, and the overlays build on the base', () => {
  expect([...readKustomization('base').resources].sort()).toEqual(listFiles('base').sort())
  for (const overlay of overlays) {
    const { resources } = readKustomization(`overlays/${overlay}`)
    expect(resources).toContain('../../base')
  }
})

test.each(workloads)(
  '$kind $metadata.name has a configuration that the gateway accepts',
  (manifest) => {
    const env = environmentOf(manifest, secrets)
    expect(Object.keys(env).filter((name) => !(name in variables))).toEqual([])
    const config = readConfig(env)
    expect(config.warnings).toEqual([])
    expect(config.database.migrateOnStart).toBe(false)
    const { ports = [] } = containerOf(manifest)
    if (ports.length > 0)
      expect(ports).toEqual([
        { name: 'http', containerPort: config.port },
        { name: 'operations', containerPort: config.opsPort },
        ...(config.maker ? [{ name: 'maker', containerPort: config.maker.port }] : []),
      ])
  },
)

test.each(workloads)('$kind $metadata.name runs without rights', (manifest) => {
  const pod = podOf(manifest)
  expect(pod).toMatchObject({
    automountServiceAccountToken: false,
    securityContext: {
      runAsNonRoot: true,
      runAsUser: 1000,
      seccompProfile: { type: 'RuntimeDefault' },
    },
  })
  expect(containerOf(manifest)).toMatchObject({
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    },
    resources: {
      requests: { cpu: expect.any(String), memory: expect.any(String) },
      limits: { cpu: expect.any(String), memory: expect.any(String) },
    },
  })
})

test('secrets come from Secrets only', () => {
  const isSecret = /PASSWORD|SECRET|_KEY$|DATABASE_URL|DSN|HEADERS/
  for (const manifest of [...workloads, presenton])
    for (const { name, value, valueFrom } of containerOf(manifest).env)
      if (isSecret.test(name)) {
        expect(value).toBeUndefined()
        expect(valueFrom.secretKeyRef.key).toBeTruthy()
      }
  for (const file of ['base/gateway-settings.env', 'base/presenton-settings.env'])
    expect(
      Object.keys(readEnvFile(file)).filter((name) => isSecret.test(name) && !/_KEYS$/.test(name)),
    ).toEqual([])
  expect(baseManifests.filter(({ kind }) => kind === 'Secret')).toEqual([])
})

test.each(['gateway', 'worker'])('%s has probes, and time for its drain', (name) => {
  const manifest = findManifest('Deployment', name)
  const { shutdownGraceMs, drainMs, worker } = readConfig(environmentOf(manifest, secrets))
  const { lifecycle, ...container } = containerOf(manifest)
  expect(worker).toBe(name === 'worker')
  expect(container).toMatchObject({
    startupProbe: { httpGet: { path: '/health/live', port: 'operations' } },
    livenessProbe: { httpGet: { path: '/health/live', port: 'operations' } },
    readinessProbe: { httpGet: { path: '/health/ready', port: 'operations' } },
  })
  const pauseSeconds = lifecycle.preStop.sleep.seconds
  const graceSeconds = podOf(manifest).terminationGracePeriodSeconds
  expect(graceSeconds).toBeGreaterThanOrEqual(
    pauseSeconds + Math.max(shutdownGraceMs, drainMs) / 1000 + 10,
  )
  expect(manifest.spec.strategy.rollingUpdate).toMatchObject({ maxUnavailable: 0 })
})

test('the gateway has three replicas, autoscaling and a budget of disruptions', () => {
  expect(findManifest('Deployment', 'gateway').spec.replicas).toBe(3)
  expect(findManifest('HorizontalPodAutoscaler', 'gateway').spec).toMatchObject({
    scaleTargetRef: { kind: 'Deployment', name: 'gateway' },
    minReplicas: 3,
  })
  for (const name of ['gateway', 'worker'])
    expect(findManifest('PodDisruptionBudget', name).spec.maxUnavailable).toBe(1)
})

test('services and the Ingress lead to ports that exist', () => {
  const pods = [...workloads, presenton].map(({ spec }) => spec.template)
  for (const { spec } of baseManifests.filter(({ kind }) => kind === 'Service')) {
    const target = pods.find(({ metadata }) =>
      Object.entries(spec.selector).every(([key, value]) => metadata.labels[key] === value),
    )
    const names = target?.spec.containers[0].ports.map(({ name }: { name: string }) => name)
    for (const { targetPort } of spec.ports) expect(names).toContain(targetPort)
  }
  const ingress = findManifest('Ingress', 'gateway')
  expect(ingress.metadata.annotations).toMatchObject({
    'nginx.ingress.kubernetes.io/proxy-buffering': 'off',
  })
  expect(ingress.spec.rules[0].http.paths[0].backend.service).toEqual({
    name: 'gateway',
    port: { name: 'http' },
  })
  expect(ingress.spec.rules[1].http.paths[0].backend.service).toEqual({
    name: 'maker',
    port: { name: 'maker' },
  })
  const { publicUrl, maker } = readConfig(environmentOf(workloads[0], secrets))
  expect(publicUrl).toBe(`https://${ingress.spec.rules[0].host}`)
  expect(maker?.url).toBe(`https://${ingress.spec.rules[1].host}`)
})

test('the image has the port, the user and the program that the manifests name', () => {
  const dockerfile = readFileSync(`${root}Dockerfile`, 'utf8')
  expect(dockerfile).toContain('EXPOSE 3000')
  expect(dockerfile).toContain('USER node')
  expect(dockerfile).toContain('CMD ["node", "dist/main.js"]')
  expect(containerOf(findManifest('Job', 'gateway-migrate')).args).toEqual([
    'node',
    'dist/main.js',
    'migrate',
  ])
  for (const manifest of workloads) expect(containerOf(manifest).image).toBe('presenton-gateway')
})

test('Presenton is that of Compose, with its volume', () => {
  const compose = readComposeFile()
  expect(containerOf(presenton).image).toBe(compose.services['presenton']?.image)
  const nginx = compose.configs['presenton-nginx']?.content
  expect(readText('base/presenton-nginx.conf')).toBe(nginx)
  expect(presenton.spec.volumeClaimTemplates[0].metadata.name).toBe('data')
  expect(containerOf(presenton).volumeMounts).toContainEqual({
    name: 'data',
    mountPath: '/app_data',
  })
})

describe('network policies', () => {
  const policies = baseManifests.filter(({ kind }) => kind === 'NetworkPolicy')
  const find = (name: string) => findManifest('NetworkPolicy', name).spec

  test('deny by default', () => {
    expect(find('default-deny')).toEqual({ podSelector: {}, policyTypes: ['Ingress', 'Egress'] })
  })

  test('let only gateway and workers reach Presenton', () => {
    const [rule, ...others] = find('presenton-in').ingress
    expect(others).toEqual([])
    expect(rule.from).toEqual([
      {
        podSelector: {
          matchExpressions: [
            { key: 'app.kubernetes.io/name', operator: 'In', values: ['gateway', 'worker'] },
          ],
        },
      },
    ])
  })

  test('lead to no private and no metadata address', () => {
    const blocks = policies.flatMap(({ spec }) =>
      (spec.egress ?? []).flatMap(({ to }: Manifest) =>
        to.filter(({ ipBlock }: Manifest) => ipBlock),
      ),
    )
    expect(blocks).toHaveLength(4)
    for (const { ipBlock } of blocks.filter(
      ({ ipBlock: one }: Manifest) => one.cidr === '0.0.0.0/0',
    ))
      expect(ipBlock.except).toEqual(
        expect.arrayContaining([
          '10.0.0.0/8',
          '172.16.0.0/12',
          '192.168.0.0/16',
          '169.254.0.0/16',
          '100.64.0.0/10',
        ]),
      )
  })
})
