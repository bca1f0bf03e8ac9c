import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, test } from 'vitest'
import { readArguments, UsageError } from './arguments.ts'

const folder = mkdtempSync(join(tmpdir(), 'presenton-gateway-test-'))
afterAll(() => rmSync(folder, { recursive: true }))

function writeBrief(name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

test('uses the sample brief, the pace of a model and continuous serving by default', () => {
  const { brief, briefPath, ...rest } = readArguments([])
  expect(briefPath).toMatch(/english\.md$/)
  expect(rest).toEqual({ once: false, fast: false, maker: false, shape: 'B1', faults: [] })
  expect(brief['title']).toBe('A cooler Marlow Quay: what we talked through')
  const words = String(brief['content']).split(/\s+/).length
  expect(words).toBeGreaterThan(400)
  expect(words).toBeLessThan(600)
})

test('takes documents instead of the sample brief, or beside a brief', () => {
  const path = writeBrief('notes.md', 'Notes.')
  const alone = readArguments(['--source', path, '--source', path])
  expect(alone).toMatchObject({ sources: [path, path], brief: {} })
  const beside = readArguments(['--source', path, '--brief', path])
  expect(beside).toMatchObject({ sources: [path], brief: { content: 'Notes.' } })
  expect(() => readArguments(['--source', `${path}.missing`])).toThrow(UsageError)
})

test('reads flags', () => {
  expect(readArguments(['--once', '--fast', '--shape', 'A1'])).toMatchObject({
    once: true,
    fast: true,
    shape: 'A1',
  })
})

test('switches the slide maker on, for versions that have one', () => {
  expect(readArguments(['--maker'])).toMatchObject({ maker: true, shape: 'B1' })
  expect(readArguments(['--maker', '--shape', 'B2'])).toMatchObject({ maker: true, shape: 'B2' })
  for (const shape of ['A1', 'T'])
    expect(() => readArguments(['--maker', '--shape', shape])).toThrow('--maker needs --shape B1')
})

test('reads faults by name and lists the known ones for a wrong name', () => {
  expect(readArguments(['--fault', 'slides:cut', '--fault', 'export:500']).faults).toEqual([
    'slides:cut',
    'export:500',
  ])
  expect(() => readArguments(['--fault', 'slides:nonsense'])).toThrow(
    /slides:nonsense is unknown. Use .*slides:cut/,
  )
  expect(() => readArguments(['--fault', 'nonsense'])).toThrow(/slides:…/)
})

test('reads a JSON file as a whole brief, any other file as its content', () => {
  expect(
    readArguments(['--brief', writeBrief('brief.json', '{"content":"Hello.","n_slides":3}')]).brief,
  ).toEqual({
    content: 'Hello.',
    n_slides: 3,
  })
  expect(
    readArguments(['--brief', writeBrief('notes.txt', 'Hello.\n# not a title')]).brief,
  ).toEqual({
    content: 'Hello.\n# not a title',
  })
  expect(
    readArguments(['--brief', writeBrief('notes.md', '# Hello 🍵\r\nWorld.')]).brief,
  ).toMatchObject({ title: 'Hello 🍵' })
})

test('reads the sample brief in many scripts without damage', () => {
  const path = fileURLToPath(new URL('briefs/many-scripts.md', import.meta.url))
  const content = String(readArguments(['--brief', path]).brief['content'])
  for (const script of [
    /\p{Script=Han}/u,
    /\p{Script=Arabic}/u,
    /\p{Script=Greek}/u,
    /\p{Script=Devanagari}/u,
    /\p{Script=Hebrew}/u,
    /ß/,
    /\p{RI}{2}/u,
  ]) {
    expect(content).toMatch(script)
  }
  expect(content).not.toContain('\ufffd')
})

test.each([
  [['--twice']],
  [['brief.txt']],
  [['--shape', 'C3']],
  [['--shape']],
  [['--brief', join(folder, 'missing.txt')]],
  [['--brief', writeBrief('list.json', '[1]')]],
  [['--brief', writeBrief('broken.json', '{')]],
])('rejects an invalid command line: %s', (args) => {
  expect(() => readArguments(args)).toThrow(UsageError)
})
