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

test('locks a folder until it is released', () => {
  const lock = lockFolder(folder)
  expect(lock).toBeDefined()
  expect(lockFolder(folder)).toBeUndefined()
  expect(findLockHolder(folder)).toBe(process.pid)
  lock?.release()
  expect(readdirSync(folder)).toEqual([])
  expect(lockFolder(folder)).toBeDefined()
})

test('ignores the lock of a dead process', () => {
  writeFileSync(join(folder, 'lock'), '2147483646 17\n')
  expect(findLockHolder(folder)).toBeUndefined()
  expect(lockFolder(folder)).toBeDefined()
  expect(readdirSync(folder)).toEqual(['lock'])
})

test('ignores the lock of a dead process whose pid is in use again', () => {
  writeFileSync(join(folder, 'lock'), `${process.pid} long ago\n`)
  expect(lockFolder(folder)).toBeDefined()
})
