// No regular expression takes long for any text of a request. The test reads all literals out of
// the source, so new ones are included, and runs them against texts that cause backtracking.

import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { expect, test } from 'vitest'
import { contentDisposition, downloadFileName } from './objects/file-name.ts'
import { hasText } from './presentations/read-brief.ts'
import { redactUpstreamText } from './presenton/redact.ts'
import { createLogger, scrub } from './telemetry/logging.ts'

/** The maximum size of all headers of a request. */
const maxChars = 32 * 1024
/** A linear pattern takes about 0.2 ms for that size, a quadratic one over 100 ms. */
const maxMs = 40

/** Files that shorten a text before they match it, as the last test below verifies. */
const maxCharsByFile: [file: string, chars: number][] = [
  ['presenton/redact.ts', 2_000],
  ['objects/file-name.ts', 600],
]

/** Folders whose patterns may match the text of a request. */
const foldersWithPatterns = [
  'app',
  'capabilities',
  'config',
  'contract',
  'domain',
  'events',
  'generation',
  'http',
  'images',
  'maker',
  'mcp',
  'notifications',
  'objects',
  'operations',
  'presentations',
  'realtime',
  'session',
  'site',
  'sources',
  'telemetry',
  'templates',
  'tickets',
  'usage',
  'webhooks',
]

/** The texts to repeat: what the patterns match, and what they almost match. */
const fragments = [
  ...' \t\0\na0-./\\"=,;:%&?#@~é',
  '\ud83d',
  'a.',
  'a-',
  'a ',
  ', ',
  '; ',
  '/a',
  '\\a',
  '\\"',
  '"a',
  '=a',
  '&a',
  '?a',
  '%2e',
  '::',
  'a:',
  'a@',
  ' a=',
  '0.',
  '<a ',
  '{}',
  '{',
  'aa://',
  'a://a?',
  'eyJ-',
  'eyJaaaaa.',
  'sk-',
  'Bearer ',
  'X-Amz-',
  'X-Amz-A=',
  'token',
  'token\\\\',
  'password: ',
  'key=',
  '.eyJa',
  'application/json',
  ',application/json;',
  'text/event-stream',
  '\\nparams: ',
  '"token":',
  '\u200c',
  'con',
  'a\u0301',
]

function sourcesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter(
      (name) => name.endsWith('.ts') && !name.endsWith('.test.ts') && !name.includes('fixtures'),
    )
    .map((name) => `${folder}/${name}`)
}

/**
 * The literals of a file, found by the TypeScript compiler. Patterns built from strings are
 * missing.
 */
function patternsIn(file: string): { where: string; pattern: RegExp }[] {
  const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest, true)
  const found: { where: string; pattern: RegExp }[] = []
  function visit(node: ts.Node) {
    if (ts.isRegularExpressionLiteral(node)) {
      const [, body = '', flags = ''] = /^\/(.*)\/(\w*)$/s.exec(node.text) ?? []
      found.push({
        where: `${file.replace(/^.*\/src\//, '')} ${node.text}`,
        pattern: new RegExp(body, flags),
      })
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  return found
}

const pathOf = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const patterns = [
  ...['./presenton/redact.ts', './presenton/failures.ts', './presenton/login.ts'].map(pathOf),
  ...foldersWithPatterns.flatMap((folder) => sourcesBelow(pathOf(`./${folder}`))),
].flatMap(patternsIn)

/** The words in a pattern: what a text must contain before the rest of the pattern is tried. */
function wordsOf({ source }: RegExp): string[] {
  return [
    ...new Set(
      source.replace(/\\(?:u[\da-f]{4}|x[\da-f]{2}|.)/gi, ' ').match(/[a-z_]{2,}/gi) ?? [],
    ),
  ].slice(0, 6)
}

/** CPU time of the fastest of up to ten runs: a busy machine costs time, but no CPU of ours. */
function fastestMs(act: () => unknown): number {
  let fastest = Number.POSITIVE_INFINITY
  for (let i = 0; i < 10 && fastest > maxMs; i++) {
    const start = process.cpuUsage()
    act()
    const { user, system } = process.cpuUsage(start)
    fastest = Math.min(fastest, (user + system) / 1000)
  }
  return fastest
}

function textsFor(fragment: string, words: string[], chars: number): string[] {
  const repeated = fragment.repeat(Math.ceil(chars / fragment.length)).slice(0, chars)
  return ['', 'x', ...words].flatMap((word) => [`${word}${repeated}`, `${word}${repeated}\u0001x`])
}

test('finds the patterns in the source', () => {
  expect(patterns.length).toBeGreaterThan(50)
  expect(patterns.map(({ where }) => where).join('\n')).toContain('http/auth.ts /^bearer ')
})

test(`no pattern takes over ${maxMs} ms for the headers of a request`, {
  timeout: 60_000,
}, () => {
  const slow = []
  for (const { where, pattern } of patterns) {
    const chars = maxCharsByFile.find(([file]) => where.startsWith(file))?.[1] ?? maxChars
    for (const fragment of [...fragments, ...wordsOf(pattern)]) {
      for (const text of textsFor(fragment, wordsOf(pattern).slice(0, 2), chars)) {
        const ms = fastestMs(() => text.replace(pattern, ''))
        if (ms > maxMs) slow.push({ where, fragment, ms })
      }
    }
  }
  expect(slow).toEqual([])
})

test.each<[what: string, act: (text: string) => unknown]>([
  ['redaction of a log line', scrub],
  [
    'a whole log line',
    (text) =>
      createLogger({ logLevel: 'info' }, { write: () => undefined }).info({ path: text }, text),
  ],
  ['redaction of upstream text', redactUpstreamText],
  ['a file name', (text) => downloadFileName(text, 'pptx')],
  ['a Content-Disposition header', contentDisposition],
  ['the check for blank text', hasText],
])('%s takes a short time for any text', (_what, act) => {
  const slow = []
  for (const fragment of fragments) {
    for (const text of textsFor(fragment, ['/', 'eyJ'], maxChars)) {
      const ms = fastestMs(() => act(text.toWellFormed()))
      if (ms > 2 * maxMs) slow.push({ fragment, ms })
    }
  }
  expect(slow).toEqual([])
})
