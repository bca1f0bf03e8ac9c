// Reads deploy/kubernetes as kustomize would, as far as the tests need it, and its schemas.

import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import Schema from 'typebox/schema'
import { parse, parseAllDocuments } from 'yaml'

const folder = fileURLToPath(new URL('../../../deploy/kubernetes/', import.meta.url))

// biome-ignore lint/suspicious/noExplicitAny: the schemas say what a manifest holds
export type Manifest = any

export const readText = (path: string): string => readFileSync(`${folder}${path}`, 'utf8')

export const readManifests = (path: string): Manifest[] =>
  parseAllDocuments(readText(path)).map((document) => document.toJS())

export const readKustomization = (path: string): Manifest =>
  parse(readText(`${path}/kustomization.yaml`))

/** The names of the YAML files of a folder, but for the kustomization. */
export const listFiles = (path: string): string[] =>
  readdirSync(`${folder}${path}`).filter(
    (name) => name.endsWith('.yaml') && name !== 'kustomization.yaml',
  )

export const baseManifests = listFiles('base').flatMap((name) => readManifests(`base/${name}`))

export function findManifest(kind: string, name: string): Manifest {
  const found = baseManifests.find(
    (manifest) => manifest.kind === kind && manifest.metadata.name === name,
  )
  if (!found) throw new Error(`There is no ${kind} ${name}.`)
  return found
}

/** `NAME=value` lines. */
export const readEnvFile = (path: string): Record<string, string> =>
  Object.fromEntries(
    readText(path)
      .split('\n')
      .filter(Boolean)
      .map((line) => line.split(/=(.*)/s).slice(0, 2) as [string, string]),
  )

/** The environment of a workload of the gateway, with `secrets` for what Secrets hold. */
export function environmentOf(
  { spec }: Manifest,
  secrets: Record<string, string>,
): Record<string, string> {
  const [container] = spec.template.spec.containers
  const own = container.env.map(({ name, value }: { name: string; value?: string }) => [
    name,
    value ?? secrets[name] ?? '',
  ])
  return { ...readEnvFile('base/gateway-settings.env'), ...Object.fromEntries(own) }
}

export const versions = ['1.34', '1.37'] as const

/** Errors of a manifest against the schemas of this version; none if it is valid. */
export function createCheck(version: (typeof versions)[number]) {
  const text = readFileSync(
    fileURLToPath(new URL(`fixtures/schemas-${version}.json`, import.meta.url)),
    'utf8',
  )
  const { kinds, $defs } = JSON.parse(text)
  const compiled = new Map<string, ReturnType<typeof Schema.Compile>>()
  return (manifest: Manifest): string[] => {
    const { kind } = manifest
    if (!kinds[kind]) return [`no schema of ${kind}`]
    const schema = compiled.get(kind) ?? Schema.Compile({ ...kinds[kind], $defs })
    compiled.set(kind, schema)
    const [isValid, errors] = schema.Errors(manifest)
    return isValid ? [] : errors.map(({ instancePath, message }) => `${instancePath} ${message}`)
  }
}
