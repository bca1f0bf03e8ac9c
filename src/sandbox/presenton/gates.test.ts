import { describe, expect, it } from 'vitest'
import { createGates } from './gates.ts'

describe('gates', () => {
  it('lets everybody through a point that nobody holds', async () => {
    const gates = createGates()
    await gates.pass('create')
    expect(gates.waiting('create')).toBe(0)
  })

  it('stops at a held point, tells of arrivals, and lets as many go as it is told', async () => {
    const gates = createGates()
    const passed: number[] = []
    gates.hold('prepare')
    const all = [1, 2, 3].map(async (who) => {
      await gates.pass('prepare')
      passed.push(who)
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

  it('keeps a pass for who comes later', async () => {
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

  it('counts arrivals anew each time a point is held', async () => {
    const gates = createGates()
    await gates.pass('read')
    gates.hold('read')
    let told = false
    const arrived = gates.arrived('read').then(() => {
      told = true
    })
    await Promise.resolve()
    expect(told).toBe(false)
    const passing = gates.pass('read')
    await arrived
    gates.release('read')
    await passing
  })

  it('lets go of a caller who leaves, and of his place', async () => {
    const gates = createGates()
    const gone = new AbortController()
    gates.hold('slides:slide')
    const passing = gates.pass('slides:slide', gone.signal)
    gone.abort(new Error('left'))
    await expect(passing).rejects.toThrow('left')
    expect(gates.waiting('slides:slide')).toBe(0)
  })
})
