// The built package as its users have it: types without the other half of the platforms, and size.

import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { afterAll, beforeAll, expect, it } from 'vitest'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../../', import.meta.url))
const tsc = join(root, 'node_modules/typescript/bin/tsc')

// Below the project, so that its types of Node are found.
let folder: string
beforeAll(async () => {
  mkdirSync(join(root, '.sandbox'), { recursive: true })
  folder = mkdtempSync(join(root, '.sandbox/client-'))
  const installed = join(folder, 'node_modules/presenton-gateway')
  mkdirSync(join(installed, 'dist'), { recursive: true })
  symlinkSync(join(root, 'package.json'), join(installed, 'package.json'))
  await run(
    process.execPath,
    [tsc, '-p', 'src/client', '--outDir', join(installed, 'dist/client')],
    {
      cwd: root,
    },
  )
  writeFileSync(
    join(folder, 'use.ts'),
    `import { createClient, GatewayError, type PresentationEvent } from 'presenton-gateway/client'

const gateway = createClient({ baseUrl: 'https://decks.example', token: () => 'token' })
const made = await gateway.presentations.create({ content: 'a' }, { idempotencyKey: 'k' })
function titleOf(event: PresentationEvent): string | null | undefined {
  if (event.type === 'outlines') return event.title
  // @ts-expect-error No event has such a type.
  if (event.type === 'of-no-event') return ''
  return undefined
}
for await (const event of gateway.presentations.events(made.id)) titleOf(event)
const done = await gateway.presentations.wait(made.id, { onProgress: ({ progress }) => progress })
const { url } = await gateway.presentations.download(done.id).catch((error: unknown) => {
  if (error instanceof GatewayError && error.code === 'NOT_READY') return { url: '' }
  throw error
})
for await (const message of gateway.realtime.follow([done.id])) {
  if (message.type === 'job_progress') message.data.progress.toFixed(url.length)
}
for await (const message of gateway.notifications.follow()) {
  if (message.type === 'notification') message.title.trim()
}
for await (const source of gateway.sources.list()) await gateway.sources.get(source.id)
async function* bytes() {
  yield new Uint8Array([37, 80, 68, 70])
}
await gateway.sources.upload([new File(['a'], 'a.txt'), { name: 'b.pdf', stream: bytes() }])
// @ts-expect-error A brief has no such member.
await gateway.presentations.create({ contents: 'a' })
`,
  )
}, 300_000)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

it.each([
  ['in a browser', { lib: ['es2022', 'dom', 'dom.iterable', 'dom.asynciterable'], types: [] }],
  ['in Node', { lib: ['es2022'], types: ['node'] }],
])(
  'compiles %s alone, without skipping the checks of libraries',
  async (_where, options) => {
    writeFileSync(
      join(folder, 'tsconfig.json'),
      JSON.stringify({
        compilerOptions: {
          ...{ target: 'es2022', module: 'esnext', moduleResolution: 'bundler' },
          ...{ strict: true, noEmit: true, skipLibCheck: false, ...options },
        },
        files: ['use.ts'],
      }),
    )
    const result = await run(process.execPath, [tsc, '-p', folder]).catch((error) => error)
    expect(result.stdout).toBe('')
  },
  300_000,
)

it('has at most 12 KiB, minified and gzipped, with its event parser', async () => {
  const { outputFiles } = await build({
    entryPoints: [join(folder, 'node_modules/presenton-gateway/dist/client/client.js')],
    ...{
      bundle: true,
      minify: true,
      format: 'esm',
      write: false,
      nodePaths: [join(root, 'node_modules')],
    },
  })
  const bytes = gzipSync(outputFiles[0]?.contents ?? '').byteLength
  expect(bytes).toBeLessThanOrEqual(12 * 1024)
  expect(bytes).toBeGreaterThan(2_000)
}, 120_000)
