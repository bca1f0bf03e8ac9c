// The gateway as shipped, dist/main.js, which starts five times as fast as the sources, and its
// page. They are rebuilt when a source file is newer.

import { execFileSync } from 'node:child_process'
import { type Dirent, existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))

export const builtProgram = join(root, 'dist', 'main.js')

const builtPage = join(root, 'dist', 'page', 'index.html')

/** Must not run while another process may start the program. */
export function buildIfOutdated(): void {
  if (isNewer(builtProgram, 'src') && isNewer(builtPage, 'src')) return
  execFileSync('npm', ['run', '--silent', 'build'], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
  })
}

/** For gateways that run from their sources: a fresh clone has no page yet. */
export async function buildPageIfOutdated(): Promise<void> {
  if (isNewer(builtPage, 'src/page', 'src/client', 'src/contract')) return
  const { buildPage } = await import('../app/build-page.ts')
  await buildPage()
}

/** Whether `file` exists and is newer than all sources in `folders`. */
function isNewer(file: string, ...folders: string[]): boolean {
  if (!existsSync(file)) return false
  const sources = [
    join(root, 'package.json'),
    ...folders.flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
        .filter(isSource)
        .map((entry) => join(entry.parentPath, entry.name)),
    ),
  ]
  return statSync(file).mtimeMs > Math.max(...sources.map((path) => statSync(path).mtimeMs))
}

function isSource(entry: Dirent): boolean {
  return (
    entry.isFile() &&
    !/[\\/](journeys|sandbox|bench)([\\/]|$)/.test(entry.parentPath) &&
    !entry.name.includes('.test.')
  )
}
