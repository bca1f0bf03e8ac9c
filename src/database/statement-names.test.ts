import { describe, expect, it } from 'vitest'
import { createStatementNames } from './statement-names.ts'

describe('the name of a prepared statement', () => {
  it('follows from its text alone, and fits into what Postgres takes', () => {
    const statementName = createStatementNames()
    expect(statementName('select 1')).toBe(createStatementNames()('select 1'))
    expect(statementName('select 1')).not.toBe(statementName('select 2'))
    expect(statementName('select 1')).toMatch(/^gateway_[0-9a-f]{32}$/)
  })

  it('is not given to more statements than connections should keep', () => {
    const statementName = createStatementNames()
    const given = Array.from({ length: 1_000 }, (_, n) => statementName(`select ${n}`)).filter(
      Boolean,
    )
    expect(given).toHaveLength(300)
    expect(new Set(given).size).toBe(300)
    expect(statementName('select 1')).toBe(given[1])
  })
})
