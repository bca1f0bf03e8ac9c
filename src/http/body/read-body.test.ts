import { PassThrough } from 'node:stream'
import { expect, it } from 'vitest'
import { createBodyBudget } from './body-budget.ts'
import { readBody } from './read-body.ts'

const mib = 1024 * 1024

function open() {
  const room = createBodyBudget()
  const payload = new PassThrough()
  const read = () =>
    readBody(payload, {
      announcedBytes: 8 * mib,
      limitBytes: 8 * mib,
      reserve: (bytes) => room.take('alice', bytes),
    })
  /** There is room for another large one, so none is held. */
  const isFree = async () => {
    const place = room.take('alice', 8 * mib)
    await place.granted
    place.release()
  }
  return { payload, read, isFree }
}

it('holds no room for a sender who left before it was asked for', async () => {
  const { payload, read, isFree } = open()
  payload.destroy()
  await expect(read()).rejects.toMatchObject({ code: 'VALIDATION_FAILED' })
  await isFree()
})

it('gives the room back when its sender leaves without a word', async () => {
  const { payload, read, isFree } = open()
  const reading = read()
  payload.write(Buffer.from('{"content":"'))
  payload.destroy()
  await expect(reading).rejects.toMatchObject({ code: 'VALIDATION_FAILED' })
  await isFree()
})
