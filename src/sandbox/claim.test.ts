import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { claimFolder, findHolder } from './claim.ts'

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'presenton-gateway-test-'))
})

afterEach(() => rmSync(folder, { recursive: true }))

test('a folder is held by one until it is released', () => {
  const claim = claimFolder(folder)
  expect(claim).toBeDefined()
  expect(claimFolder(folder)).toBeUndefined()
  expect(findHolder(folder)).toBe(process.pid)
  claim?.release()
  expect(readdirSync(folder)).toEqual([])
  expect(claimFolder(folder)).toBeDefined()
})

test('the claim of a dead process counts for nothing', () => {
  writeFileSync(join(folder, 'claim'), '2147483646 17\n')
  expect(findHolder(folder)).toBeUndefined()
  expect(claimFolder(folder)).toBeDefined()
  expect(readdirSync(folder)).toEqual(['claim'])
})

test('the claim of a dead process counts for nothing also when its pid is used again', () => {
  writeFileSync(join(folder, 'claim'), `${process.pid} long ago\n`)
  expect(claimFolder(folder)).toBeDefined()
})
