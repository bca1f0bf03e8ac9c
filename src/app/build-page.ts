// `npm run build:page` writes dist/page: the page's script and style in files named by their
// hashes, and an index.html that names them.

import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = fileURLToPath(new URL('../..', import.meta.url))
const source = join(root, 'src', 'page')
const target = join(root, 'dist', 'page')

export async function buildPage(): Promise<void> {
  const assets = join(target, 'assets')
  mkdirSync(assets, { recursive: true })
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: ['main.tsx', 'style.css', 'icon.svg'].map((name) => join(source, name)),
    outdir: assets,
    entryNames: '[name]-[hash]',
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    loader: { '.svg': 'copy' },
    define: { 'process.env.NODE_ENV': '"production"' },
    legalComments: 'none',
    metafile: true,
    logLevel: 'warning',
  })
  const names = Object.keys(metafile.outputs).map((path) => basename(path))
  const nameOf = (extension: string) =>
    `/assets/${names.find((name) => name.endsWith(extension)) ?? ''}`
  const html = readFileSync(join(source, 'index.html'), 'utf8')
    .replace('%SCRIPT%', nameOf('.js'))
    .replace('%STYLE%', nameOf('.css'))
    .replace('%ICON%', nameOf('.svg'))
  writeFileSync(join(target, 'index.html'), html)
  for (const name of readdirSync(assets)) {
    if (!names.includes(name)) rmSync(join(assets, name))
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await buildPage()
