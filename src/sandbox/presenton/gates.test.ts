import { describe, expect, it } from 'vitest'
import { createGates } from './gates.ts'

describe('gates', () => {
  it('lets requests pass a point that is not held', async () => {
    const gates = createGates()
    await gates.pass('create')
    expect(gates.waiting('create')).toBe(0)
  })

  it('stops requests at a held point, counts arrivals, releases the given number', async () => {
    const gates = createGates()
    const passed: number[] = []
    gates.hold('prepare')
    const all = [1, 2, 3].map(async (request) => {
      await gates.pass('prepare')
      passed.push(request)
    })
    await gates.arrived('prepare', 3)
    expect(passed).toEqual([])
    gates.release('prepare', 2)
    await Promise.all(all.slice(0, 2))
    expect(passed).toEqual([1, 2])
    gates.release('prepare')
    await Promise.all(all)
    expect(gates.waiting('prepare')).toBe(0)
  })

  it('applies a release to later requests', async () => {
    const gates = createGates()
    gates.hold('export')
    gates.release('export', 1)
    await gates.pass('export')
    const second = gates.pass('export')
    await gates.arrived('export', 2)
    expect(gates.waiting('export')).toBe(1)
    gates.releaseAll()
    await second
  })

  it('counts arrivals from the moment a point is held', async () => {
    const gates = createGates()
    await gates.pass('read')
    gates.hold('read')
    let isResolved = false
    const arrived = gates.arrived('read').then(() => {
      isResolved = true
    })
    await Promise.resolve()
    expect(isResolved).toBe(false)
    const passing = gates.pass('read')
    await arrived
    gates.release('read')
    await passing
  })

  it('rejects when the signal aborts, and forgets the request', async () => {
    const gates = createGates()
    const disconnected = new AbortController()
    gates.hold('slides:slide')
    const passing = gates.pass('slides:slide', disconnected.signal)
    disconnected.abort(new Error('disconnected'))
    await expect(passing).rejects.toThrow('disconnected')
    expect(gates.waiting('slides:slide')).toBe(0)
  })
})
