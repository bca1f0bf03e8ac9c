import type { FastifyRequest } from 'fastify'
import { expect, test } from 'vitest'
import { isShown } from './requests.ts'

const ask = (dest: string, headers: Record<string, string> = {}, method = 'GET') =>
  ({
    method,
    headers: {
      accept: 'text/html',
      'sec-fetch-dest': dest,
      'sec-fetch-mode': 'navigate',
      ...headers,
    },
  }) as unknown as FastifyRequest

test('a document that a person opens uses a ticket up; a frame only where frames are allowed', () => {
  for (const mayBeFramed of [false, true]) {
    expect(isShown(ask('document'), { mayBeFramed })).toBe(true)
    for (const dest of ['iframe', 'frame'])
      expect(isShown(ask(dest), { mayBeFramed }), dest).toBe(mayBeFramed)
    for (const dest of ['image', 'empty', 'script', 'object', 'embed'])
      expect(isShown(ask(dest), { mayBeFramed }), dest).toBe(false)
    for (const headers of [{ 'sec-purpose': 'prefetch' }, { purpose: 'prefetch' }])
      expect(isShown(ask('iframe', headers), { mayBeFramed })).toBe(false)
    expect(isShown(ask('document', {}, 'HEAD'), { mayBeFramed })).toBe(false)
  }
})
