// Finds files above the running code: beside src/ in development, beside dist/ after a build.

import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * Returns the absolute path of `file` in the nearest folder at or above the module at `moduleUrl`.
 * @throws Error when no folder has it
 */
export function findAbove(moduleUrl: string, file: string): string {
  let folder = dirname(fileURLToPath(moduleUrl))
  while (!existsSync(join(folder, file))) {
    const parent = dirname(folder)
    if (parent === folder) throw new Error(`Found no ${file} above ${fileURLToPath(moduleUrl)}.`)
    folder = parent
  }
  return join(folder, file)
}
