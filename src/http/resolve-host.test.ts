// Lookups that need a thread, few at a time.

import dns from 'node:dns'
import { expect, test, vi } from 'vitest'
import { waitFor } from '../sandbox/wait-for.ts'
import { resolveHost } from './resolve-host.ts'

test('a lookup that nobody waits for any more keeps no other from its turn', async () => {
  const running: (() => void)[] = []
  type Done = (error: null, found: dns.LookupAddress[]) => void
  const begin = (_name: string, _options: object, done: Done) =>
    void running.push(() => done(null, [{ address: '127.0.0.1', family: 4 }]))
  const lookup = vi.spyOn(dns, 'lookup').mockImplementation(begin as never)
  const { signal } = new AbortController()
  // DNS is not asked for such names.
  const resolved = ['a.localhost', 'b.localhost'].map((name) => resolveHost(name, signal))
  const leaving = new AbortController()
  const left = resolveHost('c.localhost', leaving.signal)
  resolved.push(resolveHost('d.localhost', signal))
  leaving.abort(new Error('too late'))
  await expect(left).rejects.toThrow('too late')
  running.shift()?.()
  await waitFor(() => expect(running).toHaveLength(2))
  for (const answer of running) answer()
  expect(await Promise.all(resolved)).toEqual(Array(3).fill(['127.0.0.1']))
  expect(lookup).toHaveBeenCalledTimes(3)
})
