// Counts the tables of attack cases. The tests beside this file try each case.

import { expect, test } from 'vitest'
import { awkwardTitles } from './awkward-titles.ts'
import { forgedTokens } from './forged-tokens.ts'
import { malformedRequests } from './malformed-requests.ts'
import { misusedCredentials } from './misused-credentials.ts'
import { unknownIds } from './openapi-routes.ts'

const tables = {
  'forged tokens': forgedTokens.map(({ name }) => name),
  'misused credentials': misusedCredentials.map(({ name }) => name),
  'malformed requests': malformedRequests.map(({ name }) => name),
  'awkward titles': awkwardTitles,
  'unknown ids, on every route that takes one': unknownIds,
}

test('the tables hold at least 350 attack cases and no duplicates', () => {
  const lines = Object.entries(tables).map(
    ([table, cases]) => `${String(cases.length).padStart(5)} ${table}`,
  )
  const total = Object.values(tables).reduce((sum, cases) => sum + cases.length, 0)
  process.stdout.write(
    `attack cases:\n${lines.join('\n')}\n${String(total).padStart(5)} in total\n`,
  )
  for (const [table, cases] of Object.entries(tables))
    expect(new Set(cases).size, table).toBe(cases.length)
  expect(total).toBeGreaterThanOrEqual(350)
})
