import { expect, it } from 'vitest'
import { completedExample } from '../contract/presentation-examples.ts'
import { encodeEvent, encodeTest } from './messages.ts'

const at = new Date('2026-11-20T10:00:00.123Z')

it('has the whole presentation without its download link', () => {
  const { data, ...message } = JSON.parse(
    encodeEvent('presentation.completed', at, completedExample),
  )
  expect(message).toEqual({ type: 'presentation.completed', timestamp: at.toISOString() })
  const links = { ...completedExample.links, download: null }
  expect(data).toEqual({ presentation: { ...completedExample, links } })
  expect(JSON.parse(encodeTest(at))).toMatchObject({ type: 'test', data: {} })
})

it('leaves out the labels of a presentation that would exceed 64 KiB', () => {
  const pairs = Array.from({ length: 16 }, (_, n) => [`${n}`, '\u2028'.repeat(1500)])
  const large = { ...completedExample, metadata: Object.fromEntries(pairs) }
  const body = encodeEvent('presentation.completed', at, large)
  expect(Buffer.byteLength(body)).toBeLessThan(64 * 1024)
  expect(JSON.parse(body).data.presentation).toMatchObject({ id: large.id, metadata: {} })
})
