// The name of a downloaded file, for titles as people, models and attackers write them: as the
// gateway says it, as curl stores it and as Python reads it. And the pages of the documentation as
// a browser shows them. What is not installed is skipped, and said so.

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
const has = (command: string) => spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0

let world: World
let user: User
let named: { title: string; url: string; fileName: string; header: string }[]

beforeAll(async () => {
  world = await openWorld()
  user = await world.createUser()
  const { id } = await user.generate()
  named = []
  for (const title of awkwardTitles) {
    expect(
      await user.api(`/presentations/${id}`, { method: 'PATCH', body: { title } }),
    ).toMatchObject({ status: 200 })
    const { body } = await user.api(`/presentations/${id}/download`, {
      headers: { accept: 'application/json' },
    })
    const file = await fetch(body.url, { headers: { range: 'bytes=0-1' } })
    await file.arrayBuffer()
    named.push({
      title,
      url: body.url,
      fileName: body.file_name,
      header: file.headers.get('content-disposition') ?? '',
    })
    expect(file.headers.get('set-cookie')).toBeNull()
  }
})
afterAll(() => world.close())

/** What every file system takes, and no shell, mail reader or browser is led astray by. */
function expectSafe(name: string, what: string) {
  expect(name, what).toMatch(/^[^/\\:*?"<>|\p{Cc}\p{Cs}]+\.pptx$/u)
  expect(name, what).not.toMatch(/^[. ]|\.\.\/|[\u202a-\u202e\u2066-\u2069\u200b]|\.exe$/)
  expect(Buffer.byteLength(name), what).toBeLessThanOrEqual(200)
}

test('forty and more awkward titles make safe names, in a header that holds nothing else', () => {
  expect(named.length).toBeGreaterThanOrEqual(40)
  for (const { title, fileName, header } of named) {
    expectSafe(fileName, title)
    expect(header, title).toMatch(
      /^attachment; filename="[ !#-[\]-~]+"; filename\*=UTF-8''[\w.~!%-]+$/,
    )
    expect(decodeURIComponent(header.replace(/^.*''/, ''))).toBe(fileName)
  }
  const names = named.map(({ fileName }) => fileName)
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

test.skipIf(!has('curl'))(
  'curl stores each under a safe name, in the folder where it was told to',
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'names-'))
    try {
      const each = named.flatMap(({ url }, i) => [
        ...(i > 0 ? ['--next'] : []),
        '-sS',
        '-OJ',
        '--create-dirs',
        '--output-dir',
        join(folder, String(i)),
        url,
      ])
      await run('curl', each)
      for (const [i, { title, header }] of named.entries()) {
        const files = await readdir(join(folder, String(i)))
        expect(files, title).toHaveLength(1)
        const [, ascii] = /filename="([^"]*)"/.exec(header) ?? []
        expectSafe(files[0]!, title)
        expect([ascii, decodeURIComponent(header.replace(/^.*''/, ''))]).toContain(files[0])
      }
      expect(await readdir(folder)).toHaveLength(named.length)
    } finally {
      await rm(folder, { recursive: true })
    }
  },
)

const python = `
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

test.skipIf(!has('python3'))(
  'Python reads a safe name, with requests and with its own mail parsers, old and new',
  async () => {
    const child = run('python3', ['-c', python], { maxBuffer: 10_000_000 })
    child.child.stdin?.end(JSON.stringify(named.map(({ url }) => url)))
    const read = JSON.parse((await child).stdout) as [string, string, string, string][]
    expect(read).toHaveLength(named.length)
    for (const [i, [header, ...names]] of read.entries()) {
      const { title, header: expected } = named[i]!
      expect(header).toBe(expected)
      expect(names.pop()).toBe('attachment')
      for (const name of names) expectSafe(name, title)
    }
  },
)

test.skipIf(!has('chromium'))(
  'a browser shows the pages of the documentation, under their own policy',
  { timeout: 60_000 },
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
          timeout: 50_000,
        },
      )
      expect(stdout).toContain('Make a presentation from a conversation summary')
      expect(stderr).not.toMatch(/Content Security Policy|Refused to/)
    } finally {
      await rm(folder, { recursive: true, force: true, maxRetries: 5 })
    }
  },
)
