// The calls before those of a deck: auth status, OpenAPI document, login, list and template. Every
// fault of the stand-in hits each of them, in every shape. Each must end in a result or in a
// Problem with a failure kind, and the next call must succeed.

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
import { asShared, openClient } from './fixtures/upstream.ts'

const credentials = { username: 'gateway', password: 'a password of ours' }

let upstream: StandIn
let presenton: Presenton
afterEach(async () => {
  await presenton.close()
  await upstream.close()
})

const firstOperations = ['auth-status', 'openapi', 'login', 'templates', 'template']
const outages = /:(502|503|504)$/
/** A limited login is waited out like an outage. */
const loginLimits = /^login:429/

const limits = /:429(-page)?$/
/** The last: without its auth status, upstream looks like a version without a login. */
const refusals = /:401$|:428$|^login:403$|^auth-status:404/

function kindsOf(name: FaultName): string[] {
  if (outages.test(name) || loginLimits.test(name)) return ['outage']
  if (limits.test(name)) return ['limit']
  return refusals.test(name) ? ['credentials', 'fault', 'final'] : ['fault', 'final']
}

const cases = shapes.flatMap((shape) =>
  faultNames
    .filter((name) => firstOperations.includes(name.split(':')[0] ?? '') && !name.endsWith(':hang'))
    // A1 has no such route. Its 404 is how it is detected.
    .filter((name) => shape !== 'A1' || !name.startsWith('auth-status:'))
    .filter((name) => shape === 'B1' || shape === 'B2' || !name.startsWith('login:'))
    .map((name) => ({ shape, name })),
)

async function open(shape: Shape) {
  upstream = await openStandIn({ shape, ...(shape !== 'A1' && { credentials }) })
  presenton = openClient(upstream.url, shape === 'A1' ? {} : { credentials })
}

const checkTemplate = (templateId = 'general') =>
  presenton.hasTemplate({ ...asShared, templateId }).catch((error: unknown) => error)

describe('A fault in a first call', () => {
  it.each<{ shape: Shape; name: FaultName }>(cases)('$shape: $name', async ({ shape, name }) => {
    await open(shape)
    upstream.faults.inject(name)
    // Only a template that the list does not name is asked for by itself.
    const isAskedFor = name.startsWith('template:')
    const result = await checkTemplate(isAskedFor && shape !== 'A1' ? 'not-listed' : 'general')
    expect(upstream.faults.injected).toEqual([name])
    if (result instanceof Problem) {
      expect(kindsOf(name)).toContain(result.failure)
      expect(secretsIn(result.detail)).toEqual([])
      expect(result.detail).not.toContain('s3cr3t')
    } else {
      // The fault was harmless, or was a valid response that there is no such template.
      expect([true, false]).toContain(result)
    }
    expect(presenton.state().breaker).toBe('closed')
    // A refused or limited login lasts for a while. Every other fault is over.
    if (!/^login:(401|403|428|429)/.test(name) && !(result === false || isAskedFor))
      expect(await checkTemplate()).toBe(true)
    expect(upstream.decks.size).toBe(0)
  })
})
