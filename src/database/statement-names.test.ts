import { describe, expect, it } from 'vitest'
import { createStatementNames } from './statement-names.ts'

describe('the name of a prepared statement', () => {
  it('depends only on the text, and is short enough for Postgres', () => {
    const statementName = createStatementNames()
    expect(statementName('select 1')).toBe(createStatementNames()('select 1'))
    expect(statementName('select 1')).not.toBe(statementName('select 2'))
    expect(statementName('select 1')).toMatch(/^gateway_[0-9a-f]{32}$/)
  })

  it('is given to at most 300 statements, which each connection keeps', () => {
    const statementName = createStatementNames()
    const names = Array.from({ length: 1_000 }, (_, n) => statementName(`select ${n}`)).filter(
      Boolean,
    )
    expect(names).toHaveLength(300)
    expect(new Set(names).size).toBe(300)
    expect(statementName('select 1')).toBe(names[1])
  })
})
