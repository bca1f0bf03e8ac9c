import { existsSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openTemporaryFolder } from './temporary-folder.ts'

test('removes the folder of a killed process and keeps a folder in use', () => {
  const purpose = `test-${process.pid}`
  const inUse = openTemporaryFolder(purpose)
  const abandoned = openTemporaryFolder(purpose)
  writeFileSync(join(abandoned.path, 'lock'), '2147483646 17\n')
  for (const { path } of [inUse, abandoned]) utimesSync(path, 0, 0)
  const next = openTemporaryFolder(purpose)
  expect([inUse, abandoned, next].map(({ path }) => existsSync(path))).toEqual([true, false, true])
  for (const { path, remove } of [inUse, next]) {
    remove()
    expect(existsSync(path)).toBe(false)
    rmSync(path, { recursive: true, force: true })
  }
})
