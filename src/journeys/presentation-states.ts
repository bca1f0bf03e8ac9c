// Every state that a presentation can be in, and the way there: the gates of the stand-in hold a
// run where a journey wants it.

import { expect, vi } from 'vitest'
import type { GatePoint } from '../sandbox/presenton/stand-in.ts'
import { brief, type Presentation, type User } from './user.ts'
import type { World } from './world.ts'

const gateOf = {
  create: 'create',
  outlines: 'outlines:chunk',
  prepare: 'prepare',
  slides: 'slides:slide',
  export: 'export',
  store: 'file',
} as const satisfies Record<string, GatePoint>

export const runningStages = Object.keys(gateOf) as (keyof typeof gateOf)[]

export const states = [
  'queued',
  ...runningStages.map((stage) => `running ${stage}` as const),
  'awaiting_outlines',
  'completed',
  'failed',
  'cancelled',
  'exporting',
] as const

export type State = (typeof states)[number]

/**
 * A presentation of this user in this state, held there until the gates are opened. Each user must
 * run one at a time.
 */
export async function reachState(world: World, user: User, state: State): Promise<Presentation> {
  const { gates, faults } = world.presenton
  if (state === 'queued') {
    await reachState(world, user, 'running create')
    return user.accept(brief)
  }
  if (state === 'awaiting_outlines') {
    const waiting = await user.settled((await user.accept({ ...brief, review_outlines: true })).id)
    expect(waiting).toMatchObject({ status: state })
    return waiting
  }
  if (state === 'completed') return user.make()
  if (state === 'failed') {
    const { id, presenton_presentation_id: deckId } = await holdInStage(world, user, 'prepare')
    faults.inject('prepare:422', { deckId: String(deckId) })
    gates.release(gateOf.prepare)
    const failed = await user.settled(id)
    expect(failed).toMatchObject({ status: state, error: { code: 'UPSTREAM_REJECTED' } })
    return failed
  }
  if (state === 'cancelled') {
    const { id } = await reachState(world, user, 'running outlines')
    const { status, body } = await user.api(`/presentations/${id}/cancel`, { method: 'POST' })
    expect({ status, body }).toMatchObject({ status: 202, body: { status: state } })
    gates.release(gateOf.outlines)
    return body
  }
  if (state === 'exporting') {
    gates.release(gateOf.export)
    const { id } = await user.make()
    gates.hold(gateOf.export)
    const { status, body } = await user.api(`/presentations/${id}/exports`, {
      method: 'POST',
      body: { format: 'pdf' },
    })
    expect({ status, body }).toMatchObject({
      status: 202,
      body: { status: 'running', stage: 'export', run: 2 },
    })
    await gates.arrived(gateOf.export)
    return body
  }
  return holdInStage(world, user, state.replace('running ', '') as keyof typeof gateOf)
}

/** A run that stands in the middle of a stage. */
export async function holdInStage(
  { presenton: { gates } }: World,
  user: User,
  stage: keyof typeof gateOf,
  more: object = {},
): Promise<Presentation> {
  const point = gateOf[stage]
  gates.release(point)
  gates.hold(point)
  const { id } = await user.accept({ ...brief, ...more })
  await gates.arrived(point)
  const held = await vi.waitFor(async () => {
    const now = await user.read(id)
    expect(now).toMatchObject({ status: 'running', stage })
    return now
  })
  return held
}

export function releaseStage({ presenton: { gates } }: World, stage: keyof typeof gateOf) {
  gates.release(gateOf[stage])
}
