// Brings a presentation into any state it can have. The gates of the stand-in hold a run in the
// stage that a journey needs.

import { expect } from 'vitest'
import type { GatePoint } from '../sandbox/presenton/stand-in.ts'
import { waitFor } from '../sandbox/wait-for.ts'
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
  'editing',
] as const

export type State = (typeof states)[number]

/**
 * Returns a presentation of the user in the given state. It stays there until its gate is released.
 * Requires `MAX_RUNNING_PER_USER=1`.
 */
export async function reachState(world: World, user: User, state: State): Promise<Presentation> {
  const { gates, faults } = world.presenton
  if (state === 'queued') {
    await reachState(world, user, 'running create')
    return user.submit(brief)
  }
  if (state === 'awaiting_outlines') {
    const waiting = await user.waitUntilSettled(
      (await user.submit({ ...brief, review_outlines: true })).id,
    )
    expect(waiting).toMatchObject({ status: state })
    return waiting
  }
  if (state === 'completed') return user.generate()
  if (state === 'failed') {
    const { id, presenton_presentation_id: deckId } = await holdInStage(world, user, 'prepare')
    faults.inject('prepare:422', { deckId: String(deckId) })
    gates.release(gateOf.prepare)
    const failed = await user.waitUntilSettled(id)
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
    const { id } = await user.generate()
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
  if (state === 'editing') {
    gates.release('chat:work')
    const { id } = await user.generate()
    gates.hold('chat:work')
    const { status, body } = await user.api(`/presentations/${id}/slides/0/edit`, {
      method: 'POST',
      body: { instruction: 'Say it in one sentence.' },
    })
    expect({ status, body }).toMatchObject({
      status: 202,
      body: { status: 'running', stage: 'edit', run: 2 },
    })
    await gates.arrived('chat:work')
    return body
  }
  return holdInStage(world, user, state.replace('running ', '') as keyof typeof gateOf)
}

/** Accepts a brief and returns its presentation once the run is held inside the stage. */
export async function holdInStage(
  { presenton: { gates } }: World,
  user: User,
  stage: keyof typeof gateOf,
  options: object = {},
): Promise<Presentation> {
  const point = gateOf[stage]
  gates.release(point)
  gates.hold(point)
  const { id } = await user.submit({ ...brief, ...options })
  await gates.arrived(point)
  return waitFor(async () => {
    const presentation = await user.read(id)
    expect(presentation).toMatchObject({ status: 'running', stage })
    return presentation
  })
}

export function releaseStage({ presenton: { gates } }: World, stage: keyof typeof gateOf) {
  gates.release(gateOf[stage])
}
