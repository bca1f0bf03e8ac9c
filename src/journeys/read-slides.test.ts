// Reading the slides of finished decks, and what the connected version can do.

import { afterEach, expect, test } from 'vitest'
import { shapes } from '../sandbox/presenton/stand-in.ts'
import { waitFor } from '../sandbox/wait-for.ts'
import { holdInStage, releaseStage } from './presentation-states.ts'
import { brief } from './user.ts'
import { openWorld, type World } from './world.ts'

let world: World
afterEach(() => world.close())

test.each(shapes)('of shape %s, the slides are those of upstream', async (shape) => {
  world = await openWorld({ shape })
  const user = await world.createUser()
  const { id, presenton_presentation_id: deckId, revision, files } = await user.generate()
  expect({ revision, files }).toMatchObject({ revision: 1, files: [{ revision: 1, stale: false }] })
  const { status, headers, body } = await user.api(`/presentations/${id}/slides`)
  expect({ status, etag: headers.get('etag') }).toEqual({ status: 200, etag: '"1"' })
  const drawn = shape === 'B1' || shape === 'B2'
  const deck = world.presenton.decks.get(String(deckId))
  expect(body).toEqual({
    revision: 1,
    slides: deck?.slides.map(({ index, id, layout, layout_group, content, speaker_note, ui }) => ({
      ...{ index, id, layout, layout_group, content, speaker_note },
      ...(drawn && { ui }),
    })),
  })
  expect(body.slides).toHaveLength(brief.n_slides)
})

test('a presentation has no slides to read before it is completed, and none of another user', async () => {
  world = await openWorld()
  const [user, other] = [await world.createUser(), await world.createUser()]
  const { id } = await holdInStage(world, user, 'export')
  const path = `/presentations/${id}/slides`
  expect(await user.api(path)).toMatchObject({ status: 409, body: { code: 'NOT_READY' } })
  expect(await user.read(id)).toMatchObject({ revision: null })
  releaseStage(world, 'export')
  await user.waitUntilSettled(id)
  expect(await user.api(path)).toMatchObject({ status: 200 })
  for (const unknown of [path, `/presentations/${crypto.randomUUID()}/slides`])
    expect(await other.api(unknown)).toMatchObject({ status: 404 })
})

test('a deck that upstream has lost is rejected, and an upstream that is away is unavailable', async () => {
  world = await openWorld()
  const user = await world.createUser()
  const { id, presenton_presentation_id: deckId } = await user.generate()
  const path = `/presentations/${id}/slides`
  await world.presenton.faults.down()
  const away = await user.api(path)
  expect(away).toMatchObject({ status: 503, body: { code: 'UPSTREAM_UNAVAILABLE' } })
  expect(Number(away.headers.get('retry-after'))).toBeGreaterThan(0)
  await world.presenton.faults.up()
  const deck = `/api/v1/ppt/presentation/${deckId}`
  await fetch(`${world.presenton.url}${deck}`, { method: 'DELETE' })
  expect(await user.api(path)).toMatchObject({ status: 422, body: { code: 'UPSTREAM_REJECTED' } })
})

test('a presentation that an earlier release has completed has revision 1', async () => {
  world = await openWorld()
  const user = await world.createUser()
  const { id } = await user.generate()
  await world.query('update gateway.presentations set revision = null where id = $1', [id])
  expect(await user.read(id)).toMatchObject({ revision: 1, files: [{ stale: false }] })
  const { headers } = await user.api(`/presentations/${id}/slides`)
  expect(headers.get('etag')).toBe('"1"')
})

const known = {
  A1: { edit: true, slide_content: 'content' },
  T: { edit: true, slide_content: 'content' },
  B1: { edit: true, slide_content: 'ui' },
  B2: { edit: true, slide_content: 'ui' },
} as const

test.each(shapes)('the capabilities of shape %s', async (shape) => {
  world = await openWorld({ shape })
  const user = await world.createUser()
  const { status, body } = await user.api('/capabilities')
  expect({ status, body }).toMatchObject({ status: 200, body: { shape, ...known[shape] } })
  expect(body.sources).toEqual(expect.arrayContaining(['application/pdf', 'text/plain']))
  expect(body.sources.includes('image/png')).toBe(shape !== 'A1')
})

test('the capabilities are null while upstream is away, and known once it is there', async () => {
  world = await openWorld({ replicas: 0 })
  await world.presenton.faults.down()
  await world.openReplica()
  const user = await world.createUser()
  const unknown = { shape: null, edit: null, slide_content: null, sources: null }
  expect(await user.api('/capabilities')).toMatchObject({ status: 200, body: unknown })
  await world.presenton.faults.up()
  await waitFor(async () =>
    expect((await user.api('/capabilities')).body).toMatchObject({ shape: 'B1' }),
  )
  await world.presenton.faults.down()
  expect((await user.api('/capabilities')).body).toMatchObject({ shape: 'B1', edit: true })
})
