import { existsSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openTemporaryFolder } from './temporary-folder.ts'

test('the next one removes what a killed process left, and leaves what is in use', () => {
  const purpose = `test-${process.pid}`
  const inUse = openTemporaryFolder(purpose)
  const left = openTemporaryFolder(purpose)
  writeFileSync(join(left.path, 'claim'), '2147483646 17\n')
  for (const { path } of [inUse, left]) utimesSync(path, 0, 0)
  const next = openTemporaryFolder(purpose)
  expect([inUse, left, next].map(({ path }) => existsSync(path))).toEqual([true, false, true])
  for (const { path, remove } of [inUse, next]) {
    remove()
    expect(existsSync(path)).toBe(false)
    rmSync(path, { recursive: true, force: true })
  }
})
