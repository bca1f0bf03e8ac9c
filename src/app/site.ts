// The page that the gateway serves itself, from dist/page.

import { dirname } from 'node:path'
import type { Config } from '../config/config.ts'
import { findAbove } from '../config/find-above.ts'
import { readSiteFiles, type SiteFiles } from '../site/files.ts'
import type { Logger } from '../telemetry/logging.ts'

/** Undefined where it is switched off, or was not built. */
export function readSite(
  { page, limits, publicUrl }: Config,
  logger: Logger,
): SiteFiles | undefined {
  if (!page.isServed) return undefined
  const folder = findFolder()
  if (folder === undefined) {
    logger.warn('the page was not built, so it is not served: run `npm run build`')
    return undefined
  }
  return readSiteFiles(folder, {
    LOGIN_URL: page.loginUrl ?? '',
    MAX_SLIDES: String(limits.maxSlides),
    // Behind a proxy the page may be below a path of its host.
    BASE: publicUrl === undefined ? '' : publicUrl.slice(new URL(publicUrl).origin.length),
  })
}

function findFolder(): string | undefined {
  try {
    return dirname(findAbove(import.meta.url, 'dist/page/index.html'))
  } catch {
    return undefined
  }
}
