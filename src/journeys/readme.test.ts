// What the README promises to name, it names: a code, a variable or a route that is added without a
// word there fails here.
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
const readme = read('README.md')

describe('the README', () => {
  it('names every code of a problem', () => {
    const codes = [...read('src/domain/problem.ts').matchAll(/^ {2}([A-Z_]+): \[/gm)].map(
      ([, code]) => code,
    )
    expect(codes.length).toBeGreaterThan(20)
    expect(codes.filter((code) => !readme.includes(`\`${code}\``))).toEqual([])
  })

  it('names every variable of the configuration', () => {
    const variables = [...read('src/config/config.ts').matchAll(/^ {2}([A-Z_]+): /gm)].map(
      ([, name]) => name,
    )
    expect(variables.length).toBeGreaterThan(40)
    expect(variables.filter((name) => !readme.includes(`\`${name}\``))).toEqual([])
  })

  it('names every kind of event that is the gateway’s own', () => {
    const kinds =
      read('src/contract/events.ts')
        .match(/ownKinds[^[]+\[([^\]]+)\]/)?.[1]
        ?.match(/\w+/g) ?? []
    expect(kinds).toContain('resync')
    expect(kinds.filter((kind) => !readme.includes(`\`${kind}\``))).toEqual([])
  })
})
