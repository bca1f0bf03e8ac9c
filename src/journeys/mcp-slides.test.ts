// Agents that read the slides of a deck and let the model change one, in both eras of the protocol.

import { randomUUID } from 'node:crypto'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { openMcpClient, protocols } from './mcp-client.ts'
import { brief } from './user.ts'
import { openWorld, type World } from './world.ts'

describe.each(protocols)('with protocol %s', (protocol) => {
  let world: World
  beforeAll(async () => {
    world = await openWorld({ env: { QUOTA_EDITS_PER_DAY: '2' } })
  })
  afterEach(() => world.expectNoLeaks())
  afterAll(() => world.close())

  async function openWithDeck() {
    const token = await world.sign({ sub: `agent-${randomUUID()}` })
    const mcp = await openMcpClient(() => world.url, { token, protocol })
    const { presentation } = await mcp.get('make_presentation', { ...brief, wait_seconds: 45 })
    expect(presentation).toMatchObject({ status: 'completed' })
    return { mcp, id: presentation.id as string }
  }

  test('an edit changes one slide, once for a key, and the next export has it', async () => {
    const { mcp, id } = await openWithDeck()
    const before = await mcp.get('get_slides', { id })
    expect(before).toMatchObject({
      revision: 1,
      slides: [{ index: 0 }, { index: 1 }, { index: 2 }],
    })

    const edit = { id, index: 1, instruction: 'Say it with flowers.', idempotency_key: 'k1' }
    expect(await mcp.get('edit_slide', edit)).toMatchObject({
      presentation: { id, status: expect.stringMatching(/queued|running/) },
      next: 'Call get_presentation with wait_seconds until status is completed.',
    })
    expect(await mcp.get('get_presentation', { id, wait_seconds: 45 })).toMatchObject({
      presentation: { status: 'completed', error: null },
      next: 'The deck has changed: call export_presentation for a new file.',
    })
    const after = await mcp.get('get_slides', { id })
    expect(after.revision).toBe(2)
    expect(after.slides[1]).not.toEqual(before.slides[1])
    expect([after.slides[0], after.slides[2]]).toEqual([before.slides[0], before.slides[2]])

    const again = await mcp.get('edit_slide', edit)
    expect(again).toMatchObject({ presentation: { status: 'completed' } })
    expect(again.next).toContain('This idempotency_key started this change before.')
    expect(await mcp.refusal('edit_slide', { ...edit, index: 0 })).toMatchObject({
      code: 'IDEMPOTENCY_KEY_REUSED',
    })
    expect((await mcp.get('get_usage')).usage.edits_per_day).toMatchObject({ used: 1 })

    await mcp.get('export_presentation', { id, format: 'pptx' })
    expect(await mcp.get('get_presentation', { id, wait_seconds: 45 })).toMatchObject({
      next: 'Call get_download_link for a link to the file.',
    })
  })

  test('a slide that is not there, a deck that is not finished and a used quota are refused', async () => {
    const { mcp, id } = await openWithDeck()
    const edit = { id, index: 0, instruction: 'Shorter.' }
    expect(await mcp.refusal('edit_slide', { ...edit, index: 3 })).toMatchObject({
      code: 'NOT_FOUND',
    })
    world.presenton.gates.hold('outlines')
    const unfinished = await mcp.get('make_presentation', { ...brief, title: 'Unfinished' })
    const { id: other } = unfinished.presentation
    expect(await mcp.refusal('edit_slide', { ...edit, id: other })).toMatchObject({
      code: 'CONFLICT',
    })
    expect(await mcp.refusal('get_slides', { id: other })).toMatchObject({ code: 'NOT_READY' })
    await mcp.get('cancel_presentation', { id: other })
    world.presenton.gates.releaseAll()

    for (let edits = 0; edits < 2; edits += 1) {
      await mcp.get('edit_slide', edit)
      await mcp.get('get_presentation', { id, wait_seconds: 45 })
    }
    expect(await mcp.refusal('edit_slide', edit)).toEqual({
      code: 'QUOTA_EXCEEDED',
      detail: expect.any(String),
      retry_after: expect.any(Number),
    })
  })
})
