// The built page, read once: a handful of files, served from memory under their exact names, so no
// path of a request ever reaches the file system.

import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { extname, join } from 'node:path'
import { gzipSync } from 'node:zlib'

export interface SiteFile {
  content: Buffer
  /** Undefined where compression gains nothing. */
  compressed: Buffer | undefined
  contentType: string
  etag: string
}

export interface SiteFiles {
  index: SiteFile
  /** By name. Each name has a hash of its content. */
  assets: ReadonlyMap<string, SiteFile>
  /**
   * The present form of an asset that another release has named: while replicas are replaced, one
   * may serve `index.html` and another is asked for its script.
   */
  ofAnotherRelease: (name: string) => SiteFile | undefined
}

const contentTypes: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
}

/**
 * Undefined when the page was not built. `settings` are what the page has to know before its first
 * call; they become the content of its meta elements.
 */
export function readSiteFiles(
  folder: string,
  settings: Record<string, string>,
): SiteFiles | undefined {
  const index = join(folder, 'index.html')
  if (!existsSync(index)) return undefined
  const html = readFileSync(index, 'utf8').replace(/%([A-Z_]+)%/g, (whole, name: string) =>
    escapeHtml(settings[name] ?? whole),
  )
  const folderOfAssets = join(folder, 'assets')
  const assets = new Map(
    readdirSync(folderOfAssets).map((name) => [
      name,
      toSiteFile(name, readFileSync(join(folderOfAssets, name))),
    ]),
  )
  return {
    index: toSiteFile('index.html', Buffer.from(html)),
    assets,
    ofAnotherRelease(name) {
      const kind = kindOf(name)
      if (kind === undefined) return undefined
      return [...assets].find(([known]) => kindOf(known) === kind)?.[1]
    },
  }
}

/** `main.js` of `main-4QZ7K2AB.js`. */
function kindOf(name: string): string | undefined {
  const [, stem, extension] = /^([a-z]{1,20})-[A-Z0-9]{8}(\.[a-z]{2,4})$/.exec(name) ?? []
  return stem === undefined ? undefined : stem + extension
}

function toSiteFile(name: string, content: Buffer): SiteFile {
  const contentType = contentTypes[extname(name)] ?? 'application/octet-stream'
  const compressed = gzipSync(content, { level: 9 })
  return {
    content,
    compressed: compressed.length < content.length ? compressed : undefined,
    contentType,
    etag: `"${createHash('sha256').update(content).digest('base64url').slice(0, 22)}"`,
  }
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`)
}
