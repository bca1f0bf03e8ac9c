// No pattern takes long, whatever it is given. Every regular expression that may meet a stranger's
// text is read out of the source, so that new ones are tried too, and run against texts that make a
// careless one try again and again.

import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { expect, test } from 'vitest'
import { contentDisposition, downloadFileName } from './objects/file-name.ts'
import { hasText } from './presentations/read-brief.ts'
import { redactUpstreamText } from './presenton/redact.ts'
import { createLogger, scrub } from './telemetry/logging.ts'

/** As much as all the headers of a request may hold. */
const longest = 32 * 1024
/** A linear pattern takes about 0.2 ms for it; a quadratic one 100 ms and more. */
const patienceMs = 40

/**
 * Files that cut a text to so many characters before they look at it; their own tests below hold
 * them to it.
 */
const bounds: [file: string, chars: number][] = [
  ['presenton/redact.ts', 2_000],
  ['objects/file-name.ts', 600],
]

/** What is repeated: what these patterns look for, and what keeps them looking. */
const pumps = [
  ...[
    ' ',
    '\t',
    'a',
    '0',
    '-',
    '.',
    '/',
    '\\',
    '"',
    '=',
    ',',
    ';',
    ':',
    '%',
    '&',
    '?',
    '#',
    '@',
    '~',
    '\0',
    '\n',
    'é',
    '\ud83d',
  ],
  ...[
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
  ],
  ...[
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
  ],
  ...[
    'application/json',
    ',application/json;',
    'text/event-stream',
    '\\nparams: ',
    '"token":',
    '\u200c',
    'con',
    'a\u0301',
  ],
]

function sourcesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter(
      (name) => name.endsWith('.ts') && !name.endsWith('.test.ts') && !name.includes('fixtures'),
    )
    .map((name) => `${folder}/${name}`)
}

/**
 * The literals of a file, as its own compiler reads them. Those that are put together from strings
 * have tests of their own.
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

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const patterns = [
  ...['./presenton/redact.ts', './presenton/failures.ts', './presenton/login.ts'].map(here),
  ...[
    ...['./contract', './domain', './config', './telemetry', './objects', './http', './events'],
    ...['./generation', './presentations', './images', './session'],
  ].flatMap((folder) => sourcesBelow(here(folder))),
].flatMap(patternsIn)

/** The words of a pattern itself: what it must have seen before it gets to its dangerous part. */
function wordsOf({ source }: RegExp): string[] {
  return [
    ...new Set(
      source.replace(/\\(?:u[\da-f]{4}|x[\da-f]{2}|.)/gi, ' ').match(/[a-z_]{2,}/gi) ?? [],
    ),
  ].slice(0, 6)
}

/** The best of three: a machine that is busy elsewhere is not the pattern's doing. */
function timeOf(act: () => unknown): number {
  let best = Number.POSITIVE_INFINITY
  for (let i = 0; i < 10 && best > patienceMs; i++) {
    const begun = performance.now()
    act()
    best = Math.min(best, performance.now() - begun)
  }
  return best
}

function textsFor(pump: string, words: string[], chars: number): string[] {
  const run = pump.repeat(Math.ceil(chars / pump.length)).slice(0, chars)
  return ['', 'x', ...words].flatMap((word) => [`${word}${run}`, `${word}${run}\u0001x`])
}

test('the patterns are found where they stand', () => {
  expect(patterns.length).toBeGreaterThan(50)
  expect(patterns.map(({ where }) => where).join('\n')).toContain('http/auth.ts /^bearer ')
})

test('no pattern takes more than a moment for all that a request can hold', {
  timeout: 60_000,
}, () => {
  const slow = []
  for (const { where, pattern } of patterns) {
    const chars = bounds.find(([file]) => where.startsWith(file))?.[1] ?? longest
    for (const pump of [...pumps, ...wordsOf(pattern)]) {
      for (const text of textsFor(pump, wordsOf(pattern).slice(0, 2), chars)) {
        const ms = timeOf(() => text.replace(pattern, ''))
        if (ms > patienceMs) slow.push({ where, pump, ms })
      }
    }
  }
  expect(slow).toEqual([])
})

test.each<[what: string, act: (text: string) => unknown]>([
  ['a log line', scrub],
  [
    'a whole line of the logger',
    (text) =>
      createLogger({ logLevel: 'info' }, { write: () => undefined }).info({ path: text }, text),
  ],
  ['what upstream says', redactUpstreamText],
  ['the name of a file', (text) => downloadFileName(text, 'pptx')],
  ['the header with the name of a file', contentDisposition],
  ['a text that may be blank', hasText],
])('%s is read in a moment, whatever stands in it', (_what, act) => {
  const slow = []
  for (const pump of pumps) {
    for (const text of textsFor(pump, ['/', 'eyJ'], longest)) {
      const ms = timeOf(() => act(text.toWellFormed()))
      if (ms > 2 * patienceMs) slow.push({ pump, ms })
    }
  }
  expect(slow).toEqual([])
})
