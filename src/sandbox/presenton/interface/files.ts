// The files of the stand-in's interface, and its one document. They may be cached without end, so
// their paths name what is in them.

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'

const names = [
  ...['api.js', 'chat.js', 'dashboard.js', 'dom.js', 'editor.js', 'interface.css', 'main.js'],
  ...['outline.js', 'slide-texts.js', 'slides.js', 'upload.js'],
]

const types: Record<string, string> = {
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
}

export interface InterfaceFile {
  type: string
  text: string
}

interface InterfaceFiles {
  version: string
  byName: ReadonlyMap<string, InterfaceFile>
}

let files: InterfaceFiles | undefined

/** Read at first use: most stand-ins show no interface. */
function readFiles(): InterfaceFiles {
  if (files) return files
  const byName = new Map<string, InterfaceFile>()
  const hash = createHash('sha256')
  for (const name of names) {
    const text = readFileSync(new URL(name, import.meta.url), 'utf8')
    byName.set(name, { type: types[name.split('.').at(-1) ?? ''] ?? '', text })
    hash.update(text)
  }
  files = { version: hash.digest('hex').slice(0, 12), byName }
  return files
}

/** By a path below /_next/static. */
export const findInterfaceFile = (path: string): InterfaceFile | undefined =>
  readFiles().byName.get(path.split('/').at(-1) ?? '')

/** @param note Plain text about the request, which tests read. */
export function interfacePage(note: string): string {
  const folder = `/_next/static/${readFiles().version}`
  const shown = note.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Presenton (stand-in)</title>
<link rel="icon" href="/Logo.svg">
<link rel="stylesheet" href="${folder}/interface.css">
<script type="module" src="${folder}/main.js"></script>
</head>
<body>
<nav>
<b>Stand-in for Presenton</b>
<a href="/dashboard" data-page>Presentations</a>
<a href="/upload" data-page>New presentation</a>
</nav>
<main></main>
<p hidden>${shown}</p>
</body>
</html>
`
}
