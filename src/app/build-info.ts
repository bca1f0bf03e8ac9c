// Version and commit of this build: from the package.json above the code, and from the environment.

import { readFileSync } from 'node:fs'
import { findAbove } from '../config/find-above.ts'

export interface BuildInfo {
  version: string
  /** Null unless GATEWAY_COMMIT is set, as the Dockerfile does. */
  commit: string | null
}

export function readBuildInfo(): BuildInfo {
  const path = findAbove(import.meta.url, 'package.json')
  const { version } = JSON.parse(readFileSync(path, 'utf8')) as { version: string }
  return { version, commit: process.env.GATEWAY_COMMIT || null }
}

/** The name of this build, for services that group by it. */
export const releaseOf = ({ version, commit }: BuildInfo): string =>
  `presenton-gateway@${version}${commit === null ? '' : `+${commit.slice(0, 12)}`}`
