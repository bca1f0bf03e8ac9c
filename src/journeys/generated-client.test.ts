// TypeScript types generated from /openapi.json: a correct client compiles, and the compiler
// rejects unknown values and members.

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
 * Compiles the program next to the generated types. Returns the compiler's output; '' if it passes.
 */
function compile(name: string, program: string): Promise<string> {
  const projectFolder = join(folder.path, name)
  mkdirSync(projectFolder)
  writeFileSync(join(projectFolder, 'api.ts'), types)
  writeFileSync(join(projectFolder, 'program.ts'), program)
  const options =
    '--strict --noEmit --ignoreConfig --target es2023 --module esnext --moduleResolution bundler'
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [compiler, ...options.split(' '), 'program.ts'],
      { cwd: projectFolder },
      (_error, stdout, stderr) => resolve(stdout + stderr),
    )
  })
}

const createProgram = (brief: string, field: string) => `
import type { paths } from './api'
type Create = paths['/api/v1/presentations']['post']
type Brief = NonNullable<Create['requestBody']>['content']['application/json']
type Created = Create['responses'][202]['content']['application/json']
export const brief: Brief = ${brief}
export const read = (created: Created): string | null => created.${field}
`

test('a correct program compiles, and a wrong value and an unknown member are type errors', {
  timeout: 120_000,
}, async () => {
  const [good, bad] = await Promise.all([
    compile(
      'good',
      createProgram("{ content: 'We agreed.', n_slides: 4, export_as: 'pdf' }", 'links.app'),
    ),
    compile('bad', createProgram("{ content: 'We agreed.', export_as: 'odp' }", 'links.nowhere')),
  ])
  expect(good).toBe('')
  expect(bad).toContain('"odp"')
  expect(bad).toContain('nowhere')
})
