// The main path: a brief becomes a deck, with every upstream version, checked event by event.

import { createHash } from 'node:crypto'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type Shape, shapes } from '../sandbox/presenton/stand-in.ts'
import { readLog } from './event-log-rules.ts'
import { brief } from './user.ts'
import { openWorld, type World } from './world.ts'

const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/)
const uuid = expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
const pptx = 'application/vnd.openxmlformats-officedocument.presentationml.presentation'

describe.each([...shapes])('with upstream shape %s', (shape: Shape) => {
  let world: World
  beforeAll(async () => {
    const credentials =
      shape === 'A1' ? undefined : { username: 'gateway', password: 'gateway-password' }
    world = await openWorld({
      shape,
      credentials,
      env: {
        ...(credentials && {
          PRESENTON_USERNAME: credentials.username,
          PRESENTON_PASSWORD: credentials.password,
        }),
        APP_LINK: 'https://app.example/slides/{id}',
      },
    })
  })
  afterEach(() => world.expectNoLeaks())
  afterAll(() => world.close())

  test('generates a deck from a brief, with every promised event', async () => {
    const user = await world.createUser('alice')
    const { id } = await user.submit({ ...brief, n_slides: 4, title: 'Support, first quarter' })
    const reader = await user.subscribe(id)
    const log = readLog(await reader.rest())
    expect(reader).toMatchObject({ status: 200, comments: 0 })
    expect(await reader.ended).toBe('clean')

    expect(log.stages).toEqual(['create', 'outlines', 'prepare', 'slides', 'export', 'store'])
    expect(log.kinds).toEqual(
      expect.arrayContaining(['outline_chunk', 'outlines', 'chunk', 'stored']),
    )
    expect(log.kinds.at(-2)).toBe('stored')
    expect(log.outlines).toMatchObject({ stage: 'outlines', title: 'Support, first quarter' })
    const outlineText = log.data
      .filter(({ type }) => type === 'outline_chunk')
      .map(({ chunk }) => chunk)
    const generated = JSON.parse(outlineText.join('')) as { slides: { content: string }[] }
    expect(log.outlines?.outlines).toEqual(generated.slides.map(({ content }) => content))

    const [deck, ...others] = [...world.presenton.decks.values()]
    expect(others).toEqual([])
    expect(log.slides).toHaveLength(4)
    expect(log.slides).toEqual(
      deck!.slides.map(({ id, index, content, layout }) =>
        expect.objectContaining({ id, index, content, layout }),
      ),
    )
    expect(world.presenton.spend).toEqual({ outlines: 1, prepares: 1, slideStreams: 1, exports: 1 })

    const { presentation, download } = log.terminal
    expect(log.terminal).toEqual({ type: 'complete', presentation, run: 1, download })
    expect(presentation).toMatchObject({ id: deck!.id, title: 'Support, first quarter' })
    expect(presentation.slides).toEqual(log.slides)
    expect(download).toEqual({
      url: expect.stringContaining(world.objects.endpoint),
      expires_at: time,
      file_name: 'Support, first quarter.pptx',
      content_type: pptx,
      size_bytes: log.stored[0].size_bytes,
      sha256: log.stored[0].sha256,
    })

    const file = await fetch(download.url)
    expect(file.status).toBe(200)
    const bytes = Buffer.from(await file.arrayBuffer())
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(download.sha256)
  })

  test('returns the complete presentation, when queued and when completed', async () => {
    const user = await world.createUser('alice')
    const body = {
      ...brief,
      language: 'German',
      metadata: { conversation: '17' },
      template: 'general',
      title: 'Quartal',
    }
    const accepted = await user.post(body)
    const self = `http://localhost:${new URL(world.url).port}/api/v1/presentations/${accepted.body.id}`
    const links = {
      self,
      events: `${self}/events`,
      download: null,
      app: `https://app.example/slides/${accepted.body.id}`,
      maker: null,
    }
    expect(accepted).toMatchObject({ status: 202 })
    expect(accepted.headers.get('location')).toBe(self)
    expect(accepted.body).toEqual({
      id: uuid,
      presenton_presentation_id: null,
      origin: 'api',
      sources: [],
      title: 'Quartal',
      status: 'queued',
      stage: null,
      run: 1,
      attempt: 0,
      progress: 0,
      template: 'general',
      language: 'German',
      n_slides: 3,
      slides_done: 0,
      export_as: 'pptx',
      review_outlines: false,
      metadata: { conversation: '17' },
      files: [],
      revision: null,
      error: null,
      queue_position: 1,
      estimated_completion: null,
      created_at: time,
      updated_at: time,
      started_at: null,
      completed_at: null,
      links,
    })

    const completed = await user.waitUntilSettled(accepted.body.id)
    const sha256 = expect.stringMatching(/^[0-9a-f]{64}$/)
    expect(completed).toEqual({
      ...accepted.body,
      presenton_presentation_id: uuid,
      status: 'completed',
      progress: 1,
      slides_done: 3,
      attempt: expect.any(Number),
      queue_position: null,
      updated_at: time,
      started_at: time,
      completed_at: time,
      files: [
        {
          format: 'pptx',
          size_bytes: expect.any(Number),
          sha256,
          content_type: pptx,
          stored_at: time,
          revision: 1,
          stale: false,
        },
      ],
      revision: 1,
      links: { ...links, download: `${self}/download` },
    })
    expect([...world.presenton.decks.keys()]).toContain(completed.presenton_presentation_id)
  })
})
