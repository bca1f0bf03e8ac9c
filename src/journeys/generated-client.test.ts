// A client whose types are generated from /openapi.json compiles, and its types know what the API
// takes and answers.

import { execFile } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import openapiTypes, { astToString } from 'openapi-typescript'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openTemporaryFolder } from '../sandbox/temporary-folder.ts'
import { openWorld, type World } from './world.ts'

const compiler = new URL('../../node_modules/typescript/bin/tsc', import.meta.url).pathname

let world: World
let types: string
const folder = openTemporaryFolder('client')
beforeAll(async () => {
  world = await openWorld({ env: { WORKER: 'false' } })
  types = astToString(await openapiTypes(await (await fetch(`${world.url}/openapi.json`)).text()))
})
afterAll(async () => {
  folder.remove()
  await world.close()
})

/**
 * What the compiler says of a program that stands beside the generated types: nothing when all is
 * well.
 */
function compile(name: string, program: string): Promise<string> {
  const place = join(folder.path, name)
  mkdirSync(place)
  writeFileSync(join(place, 'api.ts'), types)
  writeFileSync(join(place, 'program.ts'), program)
  const options = [
    '--strict',
    '--noEmit',
    '--ignoreConfig',
    '--target',
    'es2023',
    '--module',
    'esnext',
  ]
  const resolution = ['--moduleResolution', 'bundler']
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [compiler, ...options, ...resolution, 'program.ts'],
      { cwd: place },
      (_error, said, complaint) => resolve(said + complaint),
    )
  })
}

const program = (brief: string, field: string) => `
import type { paths } from './api'
type Create = paths['/api/v1/presentations']['post']
type Brief = NonNullable<Create['requestBody']>['content']['application/json']
type Made = Create['responses'][202]['content']['application/json']
export const brief: Brief = ${brief}
export const read = (made: Made): string | null => made.${field}
`

test('a program with generated types compiles, and one that asks for what is not there does not', {
  timeout: 90_000,
}, async () => {
  const [good, bad] = await Promise.all([
    compile(
      'good',
      program("{ content: 'We agreed.', n_slides: 4, export_as: 'pdf' }", 'links.app'),
    ),
    compile('bad', program("{ content: 'We agreed.', export_as: 'odp' }", 'links.nowhere')),
  ])
  expect(good).toBe('')
  expect(bad).toContain('"odp"')
  expect(bad).toContain('nowhere')
})
