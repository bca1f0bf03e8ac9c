// Which build this is: the version of the package.json above the code, and the commit that the build was given.

import { readFileSync } from 'node:fs'
import { findAbove } from '../config/find-above.ts'

/** `commit` is null unless GATEWAY_COMMIT is set, as the Dockerfile does. */
export function readBuildInfo(): { version: string; commit: string | null } {
  const path = findAbove(import.meta.url, 'package.json')
  const { version } = JSON.parse(readFileSync(path, 'utf8')) as { version: string }
  return { version, commit: process.env.GATEWAY_COMMIT || null }
}
