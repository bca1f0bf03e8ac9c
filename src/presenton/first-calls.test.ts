// The calls that come before a deck's own (who are you, what can you do, log in, is there this
// template): every fault of the stand-in in each of them, for every shape. None may open a way that
// a run cannot go: it ends in a Problem with a kind, and the next call does well.

import { afterEach, describe, expect, it } from 'vitest'
import { Problem } from '../domain/problem.ts'
import { secretsIn } from '../sandbox/presenton/faults/model-failures.ts'
import {
  type FaultName,
  faultNames,
  openStandIn,
  type Shape,
  type StandIn,
  shapes,
} from '../sandbox/presenton/stand-in.ts'
import type { Presenton } from './client.ts'
import { asShared, connect } from './fixtures/upstream.ts'

const credentials = { username: 'gateway', password: 'a password of ours' }

let upstream: StandIn
let presenton: Presenton
afterEach(async () => {
  await presenton.close()
  await upstream.close()
})

const first = ['auth-status', 'openapi', 'login', 'template']
const outages = /:(502|503|504)$/
/** A login that is limited is asked for again when its time is over, however upstream says so. */
const limits = /^login:429/

const cases = shapes.flatMap((shape) =>
  faultNames
    .filter((name) => first.includes(name.split(':')[0] ?? '') && !name.endsWith(':hang'))
    // A1 has no such route to fail; its 404 is what tells it apart.
    .filter((name) => shape !== 'A1' || !name.startsWith('auth-status:'))
    .filter((name) => shape === 'B1' || shape === 'B2' || !name.startsWith('login:'))
    .map((name) => ({ shape, name })),
)

async function open(shape: Shape) {
  upstream = await openStandIn({ shape, ...(shape !== 'A1' && { credentials }) })
  presenton = connect(upstream.url, shape === 'A1' ? {} : { credentials })
}

const ask = () =>
  presenton.hasTemplate({ ...asShared, templateId: 'general' }).catch((error: unknown) => error)

describe('a fault in a first call', () => {
  it.each<{ shape: Shape; name: FaultName }>(cases)('$shape: $name', async ({ shape, name }) => {
    await open(shape)
    upstream.faults.inject(name)
    const met = await ask()
    expect(upstream.faults.injected).toEqual([name])
    if (met instanceof Problem) {
      const kinds = outages.test(name) || limits.test(name) ? ['outage'] : ['fault', 'final']
      expect(kinds).toContain(met.failure)
      expect(secretsIn(met.detail)).toEqual([])
      expect(met.detail).not.toContain('s3cr3t')
    } else {
      // Answered all the same, or told in good form that there is no such template.
      expect([true, false]).toContain(met)
    }
    expect(presenton.state().breaker).toBe('closed')
    // Refused logins and limits hold for their time; whatever else it was is over.
    if (!/^login:(401|429)/.test(name) && !(met === false || /^template:/.test(name)))
      expect(await ask()).toBe(true)
    expect(upstream.decks.size).toBe(0)
  })
})
