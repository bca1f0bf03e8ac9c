// The gateway as shipped, dist/main.js, which starts five times as fast as the sources. It is
// rebuilt when a source file is newer.

import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))

export const builtProgram = join(root, 'dist', 'main.js')

/** Must not run while another process may start the program. */
export function buildIfOutdated(): void {
  const product = readdirSync(join(root, 'src'), { recursive: true, withFileTypes: true }).filter(
    (entry) =>
      entry.isFile() &&
      !/[\\/](journeys|sandbox|bench)([\\/]|$)/.test(entry.parentPath) &&
      !entry.name.includes('.test.'),
  )
  const sources = [
    join(root, 'package.json'),
    ...product.map((entry) => join(entry.parentPath, entry.name)),
  ]
  const newest = Math.max(...sources.map((path) => statSync(path).mtimeMs))
  if (existsSync(builtProgram) && statSync(builtProgram).mtimeMs > newest) return
  execFileSync('npm', ['run', '--silent', 'build'], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
  })
}
