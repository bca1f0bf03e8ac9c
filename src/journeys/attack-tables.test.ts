// How many attacks are tried: the length of the tables. The tests beside this file try each; here
// they are counted and named once.

import { expect, test } from 'vitest'
import { awkwardTitles } from './awkward-titles.ts'
import { forgedTokens } from './forged-tokens.ts'
import { malformedRequests } from './malformed-requests.ts'
import { misusedCredentials } from './misused-credentials.ts'
import { unknownIds } from './openapi-routes.ts'

const tables = {
  'forged tokens': forgedTokens.map(({ name }) => name),
  'borrowed credentials': misusedCredentials.map(({ name }) => name),
  'malformed requests': malformedRequests.map(({ name }) => name),
  'awkward titles': awkwardTitles,
  'strange ids, on every route that takes one': unknownIds,
}

test('the tables of attacks are as long as the README says, and hold nothing twice', () => {
  const lines = Object.entries(tables).map(
    ([what, names]) => `${String(names.length).padStart(5)} ${what}`,
  )
  const total = Object.values(tables).reduce((sum, names) => sum + names.length, 0)
  process.stdout.write(`attack cases:\n${lines.join('\n')}\n${String(total).padStart(5)} in all\n`)
  for (const [what, names] of Object.entries(tables))
    expect(new Set(names).size, what).toBe(names.length)
  expect(total).toBeGreaterThanOrEqual(350)
})
