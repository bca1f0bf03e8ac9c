// Every route of the recorded versions of upstream has a row or a refusal, so that none is passed
// or forgotten by chance.

import { readFileSync } from 'node:fs'
import Fastify from 'fastify'
import { describe, expect, test } from 'vitest'
import { type Refusal, refusals } from './refused.ts'
import { table } from './table.ts'

interface Recorded {
  openapi: { paths: Record<string, Record<string, unknown>> }
  next: { pages: string[]; routes: Record<string, Record<string, unknown>> }
  /** What nginx serves or passes elsewhere. */
  nginx: string[]
}

const versions = ['v0.7.3', 'v0.9.3'].map((version) => {
  const file = new URL(`recorded/${version}.json`, import.meta.url)
  const { openapi, next, nginx } = JSON.parse(readFileSync(file, 'utf8')) as Recorded
  const routes = Object.entries({ ...openapi.paths, ...next.routes }).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => [method.toUpperCase(), path] as const),
  )
  const readOnly = [...next.pages, ...nginx].map((path) => ['GET', path] as const)
  return { version, routes: [...routes, ...readOnly] }
})

const router = Fastify()
for (const { method, path: url } of table) router.route({ method, url, handler: () => 'a row' })

const uuid = '3f333df6-90a4-4fda-8dd3-9485d27cee36'
const plain = (path: string) => path.replaceAll(/\{path\}/g, 'a').replaceAll(/\{[^}]+\}/g, uuid)

async function hasRow(method: string, path: string): Promise<boolean> {
  const { statusCode } = await router.inject({ method: method as 'GET', url: plain(path) })
  return statusCode === 200
}

function isOf(refusal: Refusal, [method, path]: readonly [string, string]): boolean {
  if (refusal.method !== undefined && refusal.method !== method) return false
  const expected = refusal.path.split('/')
  const given = path.split('/')
  const isRest = expected.at(-1) === '{path}'
  if (isRest ? given.length < expected.length : given.length !== expected.length) return false
  return expected.every((part, i) => /^\{.+\}$/.test(part) || part === given[i])
}

const isRefused = (...route: [method: string, path: string]) =>
  refusals.some((refusal) => isOf(refusal, route))

describe.each(versions)('upstream $version', ({ routes }) => {
  test.each(routes)('%s %s has a row or a refusal', async (method, path) => {
    expect(await hasRow(method, path)).toBe(!isRefused(method, path))
  })
})

test('every refusal is of a route that a version has', () => {
  const all = versions.flatMap(({ routes }) => routes)
  const unknown = refusals.filter((one) => !all.some((route) => isOf(one, route)))
  expect(unknown).toEqual([])
})
