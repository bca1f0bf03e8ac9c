import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { clientTypesFile, generateClientTypes } from './client-types.ts'

it('the types of the client are those of the API: else run npm run client:types', async () => {
  expect(readFileSync(clientTypesFile, 'utf8')).toBe(await generateClientTypes())
})
