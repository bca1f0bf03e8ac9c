// The documentation names what the code has: codes, variables, event kinds, metrics, alerts. A
// change of one without the other fails here.

import { existsSync, readdirSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { TSchema } from 'typebox'
import Value from 'typebox/value'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { readConfig } from './config/config.ts'
import { eventKinds } from './contract/event-kinds.ts'
import { eventSchema } from './contract/events.ts'
import { problemCodes, problems } from './contract/problem.ts'
import { clientMessageSchema, serverMessageSchema } from './contract/realtime.ts'
import { clientMessages, serverMessages } from './contract/realtime-messages.ts'
import {
  pages,
  readBlocks,
  readPage,
  readProse,
  readRows,
  readSection,
} from './journeys/docs-pages.ts'

const root = fileURLToPath(new URL('../', import.meta.url))

/** The name in backquotes that a row begins with, and the other cells of that row. */
function namedRows(page: string, pattern: RegExp): Map<string, string[]> {
  return new Map(
    readRows(readProse(page)).flatMap(([first = '', ...rest]) => {
      const [, name = ''] = /^`([^`]+)`$/.exec(first) ?? []
      return pattern.test(name) ? [[name, rest]] : []
    }),
  )
}

describe('docs/api.md', () => {
  const rows = namedRows('docs/api.md', /^[A-Z_]+$/)

  test('lists exactly the problem codes of the contract', () => {
    expect([...rows.keys()].sort()).toEqual([...problemCodes].sort())
  })

  test.each(problemCodes)('states the status of %s, and whether a retry can help', (code) => {
    const { status, retryable } = problems[code]
    const [statusCell = '', retryableCell] = rows.get(code) ?? []
    if (statusCell !== 'in events') expect(statusCell.split(', ').map(Number)).toContain(status)
    expect(retryableCell).toBe(retryable ? 'yes' : 'no')
  })
})

test.each(pages)('%s quotes the sentences of problems as they are', (page) => {
  const sentences = Object.values(problems).map(({ detail }) => detail)
  const quoted = [...readPage(page).matchAll(/"detail":\s*"([^"]+)"/g)].map(([, text]) => text)
  expect(quoted.filter((text) => !sentences.some((sentence) => sentence === text))).toEqual([])
})

describe('docs/configuration.md', () => {
  const rows = namedRows('docs/configuration.md', /^[A-Z][A-Z0-9_]+$/)
  const minimal = {
    DATABASE_URL: 'postgres://localhost/decks',
    PRESENTON_URL: 'http://presenton',
    MINIO_ENDPOINT: 'http://minio:9000',
    MINIO_ACCESS_KEY: 'key',
    MINIO_SECRET_KEY: 'secret',
    AUTH_JWT_SECRET: 'a secret of at least thirty-two bytes',
  }

  /** Every name that `readConfig` asks the environment for. */
  function readVariables(): string[] {
    const names = new Set<string>()
    const env = new Proxy<Record<string, string>>(minimal, {
      get(target, name: string) {
        names.add(name)
        return target[name]
      },
    })
    readConfig(env)
    return [...names]
  }
  const variables = readVariables()
  const described = variables.flatMap((name) => {
    const [fallback = '', values = ''] = rows.get(name) ?? []
    return rows.has(name) ? [{ name, fallback, values }] : []
  })

  test('describes every variable', () => {
    expect(variables.length).toBeGreaterThan(40)
    expect(variables.filter((name) => !rows.has(name))).toEqual([])
  })

  test('marks as required what is required', () => {
    const required = described.filter(({ fallback }) => fallback === 'required')
    expect(required.map(({ name }) => name)).toEqual(
      Object.keys(minimal).filter((name) => !name.startsWith('AUTH_')),
    )
    for (const { name } of required)
      expect(() => readConfig({ ...minimal, [name]: '' })).toThrow(name)
  })

  const defaults = described.flatMap(({ name, fallback }) => {
    const [, value] = /^`([^`]+)`$/.exec(fallback) ?? []
    return value === undefined ? [] : [{ name, value }]
  })
  test.each(defaults)('states the default of $name', ({ name, value }) => {
    expect(readConfig({ ...minimal, [name]: value })).toEqual(readConfig(minimal))
  })

  const ranges = described.flatMap(({ name, values }) => {
    const [, min, max] = /^([\d,]+) to ([\d,]+)$/.exec(values) ?? []
    const numberOf = (text = '') => Number(text.replaceAll(',', ''))
    return min === undefined ? [] : [{ name, min: numberOf(min), max: numberOf(max) }]
  })
  test.each(ranges)('states the range of $name', ({ name, min, max }) => {
    const read = (value: number) => () => readConfig({ ...minimal, [name]: String(value) })
    for (const value of [min, max]) expect(read(value)).not.toThrow()
    for (const value of [min - 1, max + 1]) expect(read(value)).toThrow(name)
  })
})

describe('docs/events.md', () => {
  const isMessage = ({ section }: { section: string }) => section.startsWith('message: ')
  const blocks = readBlocks('docs/events.md').filter(({ language }) => language === 'json')
  const examples = blocks.filter((block) => !isMessage(block))
  const { anyOf } = eventSchema as unknown as { anyOf: (TSchema & { title: string })[] }

  test.each(Object.keys(eventKinds))('has a section for the kind %s', (kind) => {
    const sections = [...readProse('docs/events.md').matchAll(/^### (.+)$/gm)]
    expect(sections.flatMap(([, heading = '']) => heading.split(', '))).toContain(kind)
  })

  test.each(examples)('shows under "$section" a valid event of that kind', ({ section, code }) => {
    const event = JSON.parse(code)
    expect(section.split(', ')).toContain(event.type)
    // Its presentation is shortened.
    if (event.type === 'resync') return
    const schema = anyOf.find(({ title }) => title === `${event.type} event`)
    expect(Value.Errors(schema ?? {}, event)).toEqual([])
    expect(schema).toBeDefined()
  })
})

describe('the real-time messages of docs/events.md', () => {
  const definitions = { ...serverMessages, ...clientMessages }
  const blocks = readBlocks('docs/events.md').flatMap(({ section, code }) => {
    const [, type] = /^message: (.+)$/.exec(section) ?? []
    return type === undefined ? [] : [{ type, message: JSON.parse(code) }]
  })

  test('has every message of the contract', () => {
    expect(blocks.map(({ type }) => type).sort()).toEqual(Object.keys(definitions).sort())
  })

  test.each(blocks)('shows a valid message $type', ({ type, message }) => {
    const schemas = [serverMessageSchema, clientMessageSchema] as unknown as {
      anyOf: (TSchema & { title: string })[]
    }[]
    const schema = schemas
      .flatMap(({ anyOf }) => anyOf)
      .find(({ title }) => title === `${type} message`)
    expect(message.type).toBe(type)
    expect(Value.Errors(schema ?? {}, message)).toEqual([])
    expect(schema).toBeDefined()
  })
})

describe('docs/operations.md', () => {
  test('describes exactly the alerts of docker-compose.yml', () => {
    const compose = parse(readPage('docker-compose.yml'), { merge: true })
    const { groups } = parse(compose.configs['prometheus-alerts'].content)
    const alerts = groups.flatMap(({ rules }: { rules: { alert: string }[] }) =>
      rules.map(({ alert }) => alert),
    )
    expect([...namedRows('docs/operations.md', /^[A-Z][a-z]+[A-Z]\w+$/).keys()]).toEqual(alerts)
  })
})

/** The anchor that GitHub gives a heading. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .replace(/\s/g, '-')
}

describe.each(pages)('%s', (page) => {
  test('links only to pages and headings that exist', () => {
    const links = [...readProse(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => link)
    const broken = links.filter((link) => {
      if (/^https?:/.test(link)) return false
      const [path = '', anchor] = link.split('#')
      const target = path === '' ? page : normalize(join(dirname(page), path))
      if (!existsSync(join(root, target))) return true
      if (anchor === undefined) return false
      const headings = [...readProse(target).matchAll(/^#+ (.+)$/gm)]
      return !headings.some(([, heading = '']) => anchorOf(heading) === anchor)
    })
    expect(broken).toEqual([])
  })

  test('names only files that exist', () => {
    const named = [...readPage(page).matchAll(/`((?:src|docs|drizzle)\/[\w./-]*)`/g)]
    const missing = named
      .map(([, path = '']) => path)
      .filter((path) => !existsSync(join(root, path)))
    expect(missing).toEqual([])
  })
})

describe('docs/architecture.md', () => {
  const folders = readdirSync(join(root, 'src'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)

  test('shows every folder of src', () => {
    const tree = readBlocks('docs/architecture.md').find(({ code }) => code.startsWith('src/'))
    const shown = [...(tree?.code ?? '').matchAll(/^ {2}(\w+)\//gm)].map(([, name]) => name)
    expect(shown.sort()).toEqual(folders.sort())
  })

  test('states the imports that the linter allows', () => {
    const rules = readPage('.biome.jsonc').matchAll(/"message": "(\w+)\/ imports ([^"]+)"/g)
    const isFolder = (name: string) => folders.includes(name)
    const allowed = [...rules].map(([, folder = '', list = '']) => [
      folder,
      list.split(', ').filter(isFolder).sort(),
    ])
    const rows = readRows(readSection('docs/architecture.md', 'Folders and imports')).flatMap(
      ([names = '', list = '']) =>
        [...names.matchAll(/`(\w+)`/g)].map(([, name = '']) => [
          name,
          list.split(', ').filter(isFolder).sort(),
        ]),
    )
    expect(Object.fromEntries(rows)).toMatchObject(Object.fromEntries(allowed))
    expect(allowed.length).toBeGreaterThan(20)
  })
})

test('the README and each decision stay short', () => {
  const lines = (page: string) => readPage(page).trimEnd().split('\n').length
  expect(lines('README.md')).toBeLessThanOrEqual(220)
  for (const page of pages.filter((name) => name.startsWith('docs/decisions/')))
    expect(lines(page), page).toBeLessThanOrEqual(40)
})
