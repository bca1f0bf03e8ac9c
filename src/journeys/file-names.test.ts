// File names of downloads with awkward titles: in the header, as stored by curl, and as parsed by
// Python. Also the API documentation in a browser. Tests of programs that are missing are skipped.

import { execFile, spawnSync } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { awkwardTitles } from './awkward-titles.ts'
import type { User } from './user.ts'
import { openWorld, type World } from './world.ts'

const run = promisify(execFile)
const isInstalled = (command: string) =>
  spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0

let world: World
let user: User
let downloads: { title: string; url: string; fileName: string; header: string }[]

beforeAll(async () => {
  world = await openWorld()
  user = await world.createUser()
  const { id } = await user.generate()
  downloads = []
  for (const title of awkwardTitles) {
    expect(
      await user.api(`/presentations/${id}`, { method: 'PATCH', body: { title } }),
    ).toMatchObject({ status: 200 })
    const { body } = await user.api(`/presentations/${id}/download`, {
      headers: { accept: 'application/json' },
    })
    const file = await fetch(body.url, { headers: { range: 'bytes=0-1' } })
    await file.arrayBuffer()
    downloads.push({
      title,
      url: body.url,
      fileName: body.file_name,
      header: file.headers.get('content-disposition') ?? '',
    })
    expect(file.headers.get('set-cookie')).toBeNull()
  }
})
afterAll(() => world.close())

/** Valid on every file system, and safe in shells, mail readers and browsers. */
function expectSafeName(name: string, title: string) {
  expect(name, title).toMatch(/^[^/\\:*?"<>|\p{Cc}\p{Cs}]+\.pptx$/u)
  expect(name, title).not.toMatch(/^[. ]|\.\.\/|[\u202a-\u202e\u2066-\u2069\u200b]|\.exe$/)
  expect(Buffer.byteLength(name), title).toBeLessThanOrEqual(200)
}

test('at least 40 awkward titles give safe names, in a header without other parameters', () => {
  expect(downloads.length).toBeGreaterThanOrEqual(40)
  for (const { title, fileName, header } of downloads) {
    expectSafeName(fileName, title)
    expect(header, title).toMatch(
      /^attachment; filename="[ !#-[\]-~]+"; filename\*=UTF-8''[\w.~!%-]+$/,
    )
    expect(decodeURIComponent(header.replace(/^.*''/, ''))).toBe(fileName)
  }
  const names = downloads.map(({ fileName }) => fileName)
  expect(names).toEqual(
    expect.arrayContaining([
      'Plain.pptx',
      'Ünïcödé.pptx',
      '日本語のタイトル.pptx',
      '🚀🎉👩‍👩‍👧‍👦.pptx',
      'deck.pptx',
      '_CON.pptx',
    ]),
  )
})

test.skipIf(!isInstalled('curl'))(
  'curl stores each file under a safe name, inside the output folder',
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'names-'))
    try {
      const args = downloads.flatMap(({ url }, i) => [
        ...(i > 0 ? ['--next'] : []),
        '-sS',
        '-OJ',
        '--create-dirs',
        '--output-dir',
        join(folder, String(i)),
        url,
      ])
      await run('curl', args)
      for (const [i, { title, header }] of downloads.entries()) {
        const files = await readdir(join(folder, String(i)))
        expect(files, title).toHaveLength(1)
        const [, ascii] = /filename="([^"]*)"/.exec(header) ?? []
        expectSafeName(files[0]!, title)
        expect([ascii, decodeURIComponent(header.replace(/^.*''/, ''))]).toContain(files[0])
      }
      expect(await readdir(folder)).toHaveLength(downloads.length)
    } finally {
      await rm(folder, { recursive: true })
    }
  },
)

const pythonProgram = `
import json, sys
from email.message import EmailMessage, Message
from email import policy
from email.parser import Parser
try:
    import requests
    fetch = lambda url: requests.get(url).headers["content-disposition"]
except ImportError:
    from urllib.request import urlopen
    fetch = lambda url: urlopen(url).headers["content-disposition"]
read = []
for url in json.load(sys.stdin):
    header = fetch(url)
    old = Message(); old["content-disposition"] = header
    new = Parser(policy=policy.HTTP).parsestr("Content-Disposition: " + header + "\\n\\n")
    read.append([header, old.get_filename(), new.get_filename(), new.get_content_disposition()])
print(json.dumps(read))
`

test.skipIf(!isInstalled('python3'))(
  'Python parses a safe name, with requests or urllib, and with its old and new mail parsers',
  async () => {
    const python = run('python3', ['-c', pythonProgram], { maxBuffer: 10_000_000 })
    python.child.stdin?.end(JSON.stringify(downloads.map(({ url }) => url)))
    const parsed = JSON.parse((await python).stdout) as [string, string, string, string][]
    expect(parsed).toHaveLength(downloads.length)
    for (const [i, [header, ...names]] of parsed.entries()) {
      const { title, header: expected } = downloads[i]!
      expect(header).toBe(expected)
      expect(names.pop()).toBe('attachment')
      for (const name of names) expectSafeName(name, title)
    }
  },
)

test.skipIf(!isInstalled('chromium'))(
  'a browser shows the API documentation without violations of its content security policy',
  { timeout: 120_000 },
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'browser-'))
    try {
      const flags = [
        '--headless',
        '--no-sandbox',
        '--disable-gpu',
        '--disable-dev-shm-usage',
        `--user-data-dir=${folder}`,
        '--enable-logging=stderr',
      ]
      const { stdout, stderr } = await run(
        'chromium',
        [...flags, '--virtual-time-budget=8000', '--dump-dom', `${world.url}/docs/`],
        {
          maxBuffer: 50_000_000,
          timeout: 110_000,
        },
      )
      expect(stdout).toContain('Create a presentation from a conversation summary')
      expect(stderr).not.toMatch(/Content Security Policy|Refused to/)
    } finally {
      await rm(folder, { recursive: true, force: true, maxRetries: 5 })
    }
  },
)
