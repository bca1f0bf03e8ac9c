import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { findLockHolder, lockFolder } from './folder-lock.ts'

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'presenton-gateway-test-'))
})

afterEach(() => rmSync(folder, { recursive: true }))

test('a folder is held by one until it is released', () => {
  const claim = lockFolder(folder)
  expect(claim).toBeDefined()
  expect(lockFolder(folder)).toBeUndefined()
  expect(findLockHolder(folder)).toBe(process.pid)
  claim?.release()
  expect(readdirSync(folder)).toEqual([])
  expect(lockFolder(folder)).toBeDefined()
})

test('the claim of a dead process counts for nothing', () => {
  writeFileSync(join(folder, 'claim'), '2147483646 17\n')
  expect(findLockHolder(folder)).toBeUndefined()
  expect(lockFolder(folder)).toBeDefined()
  expect(readdirSync(folder)).toEqual(['claim'])
})

test('the claim of a dead process counts for nothing also when its pid is used again', () => {
  writeFileSync(join(folder, 'claim'), `${process.pid} long ago\n`)
  expect(lockFolder(folder)).toBeDefined()
})
