// Every tool of the MCP server, through the official client in both eras of the protocol.

import { randomUUID } from 'node:crypto'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type McpClient, openMcpClient, protocols } from './mcp-client.ts'
import { brief } from './user.ts'
import { openWorld, type World } from './world.ts'

const untilCompleted = 'Call get_presentation with wait_seconds until status is completed.'
const unknownId = '3f333df6-90a4-4fda-8dd3-9485d27cee36'

describe.each(protocols)('with protocol %s', (protocol) => {
  let world: World
  beforeAll(async () => {
    world = await openWorld({ env: { APP_LINK: 'https://app.example/{id}' } })
  })
  afterEach(() => world.expectNoLeaks())
  afterAll(() => world.close())

  async function open(): Promise<McpClient> {
    const token = await world.sign({ sub: `agent-${randomUUID()}` })
    return openMcpClient(() => world.url, { token, protocol })
  }

  test('lists its tools with schemas and hints', async () => {
    const mcp = await open()
    const { tools } = await mcp.client.listTools()
    const hints = Object.fromEntries(
      tools.map(({ name, annotations: { readOnlyHint, destructiveHint } = {} }) => [
        name,
        readOnlyHint ? 'read-only' : destructiveHint ? 'destructive' : '',
      ]),
    )
    expect(hints).toEqual({
      make_presentation: '',
      get_presentation: 'read-only',
      list_presentations: 'read-only',
      get_outlines: 'read-only',
      get_slides: 'read-only',
      approve_outlines: '',
      edit_slide: 'destructive',
      export_presentation: '',
      get_download_link: 'read-only',
      cancel_presentation: 'destructive',
      retry_presentation: '',
      delete_presentation: 'destructive',
      list_templates: 'read-only',
      get_usage: 'read-only',
    })
    for (const { name, description, inputSchema, outputSchema } of tools) {
      expect(inputSchema, name).toMatchObject({ type: 'object', additionalProperties: false })
      expect(outputSchema, name).toMatchObject({ type: 'object' })
      expect(description?.length, name).toBeGreaterThan(20)
      expect(JSON.stringify(inputSchema), name).not.toContain('\\\\x')
    }
  })

  test('makes a deck: id at once, progress, the file', async () => {
    const mcp = await open()
    world.presenton.gates.hold('slides')
    const made = await mcp.get('make_presentation', { ...brief, title: 'Support' })
    expect(made).toEqual({
      next: untilCompleted,
      presentation: {
        id: expect.any(String),
        title: 'Support',
        status: 'queued',
        stage: null,
        progress: 0,
        slides_done: 0,
        n_slides: 3,
        error: null,
        links: {
          self: expect.stringContaining('/api/v1/presentations/'),
          events: expect.stringContaining('/api/v1/presentations/'),
          download: null,
          app: `https://app.example/${made.presentation.id}`,
          maker: null,
        },
      },
    })
    const { id } = made.presentation
    expect(await mcp.gateway.presentations.get(id)).toMatchObject({ id, origin: 'mcp' })
    expect(await mcp.refusal('get_download_link', { id })).toMatchObject({ code: 'NOT_READY' })

    const reports: { progress: number; total?: number | undefined }[] = []
    let isReleased = false
    const done = await mcp.get(
      'get_presentation',
      { id, wait_seconds: 300 },
      {
        onprogress(report) {
          reports.push(report)
          if (isReleased) return
          isReleased = true
          world.presenton.gates.release('slides')
        },
      },
    )
    expect(done).toMatchObject({
      presentation: { id, status: 'completed', progress: 1, slides_done: 3 },
      next: 'Call get_download_link for a link to the file.',
    })
    expect(reports.length).toBeGreaterThan(0)
    expect(reports.map(({ total }) => total)).toEqual(reports.map(() => 1))
    const steps = reports.map(({ progress }) => progress)
    expect(steps).toEqual([...new Set(steps)].sort((a, b) => a - b))

    const { revision, slides } = await mcp.get('get_slides', { id })
    expect(revision).toBe(1)
    const deck = [...world.presenton.decks.values()].at(-1)
    expect(slides).toEqual(
      [0, 1, 2].map((index) => ({ index, title: expect.any(String), text: expect.any(String) })),
    )
    expect(JSON.stringify(deck?.slides)).toContain(JSON.stringify(slides[0].title))

    const link = await mcp.get('get_download_link', { id, format: 'pptx' })
    expect(link).toEqual({
      url: expect.stringContaining(world.objects.endpoint),
      expires_at: expect.any(String),
      file_name: 'Support.pptx',
    })
    expect((await fetch(link.url)).status).toBe(200)
    expect(world.presenton.spend).toMatchObject({ slideStreams: 1 })
  })

  test('the review of outlines, with another title and template', async () => {
    const mcp = await open()
    const { presentation } = await mcp.get('make_presentation', {
      ...brief,
      review_outlines: true,
      wait_seconds: 40,
    })
    const { id } = presentation
    expect(presentation).toMatchObject({ status: 'awaiting_outlines' })
    const { outlines, title } = await mcp.get('get_outlines', { id })
    expect(outlines).toHaveLength(3)
    expect(title).toEqual(expect.any(String))
    expect(await mcp.refusal('approve_outlines', { id, outlines: [' '] })).toEqual({
      code: 'VALIDATION_FAILED',
      detail: expect.stringContaining('/outlines/0 must not be blank'),
    })
    await mcp.get('list_templates')
    expect(await mcp.refusal('approve_outlines', { id, template: 'of-no-template' })).toMatchObject(
      {
        code: 'VALIDATION_FAILED',
        detail: expect.stringContaining('/template'),
      },
    )
    const approved = await mcp.get('approve_outlines', {
      id,
      outlines: ['# Yes', '# No'],
      title: 'Votes',
      template: 'modern',
    })
    expect(approved).toMatchObject({ presentation: { n_slides: 2, title: 'Votes' } })
    await mcp.get('get_presentation', { id, wait_seconds: 45 })
    expect(await mcp.gateway.presentations.get(id)).toMatchObject({
      status: 'completed',
      template: 'modern',
    })
    expect(await mcp.refusal('approve_outlines', { id })).toMatchObject({ code: 'CONFLICT' })
  })

  test('lists, exports, cancels, retries and deletes', async () => {
    const mcp = await open()
    const first = await mcp.get('make_presentation', { ...brief, wait_seconds: 45 })
    world.presenton.gates.hold('outlines')
    const second = await mcp.get('make_presentation', { ...brief, title: 'Second' })
    const [a, b] = [first.presentation.id, second.presentation.id]

    const page = await mcp.get('list_presentations', { limit: 1 })
    expect(page.items.map(({ id }: { id: string }) => id)).toEqual([b])
    const rest = await mcp.get('list_presentations', { limit: 1, cursor: page.next_cursor })
    expect(rest).toMatchObject({ items: [{ id: a, status: 'completed' }], next_cursor: null })
    expect(await mcp.get('list_presentations', { status: 'failed' })).toMatchObject({ items: [] })
    expect(await mcp.refusal('list_presentations', { cursor: 'x' })).toMatchObject({
      code: 'VALIDATION_FAILED',
    })

    expect(await mcp.get('cancel_presentation', { id: b })).toMatchObject({
      presentation: { status: 'cancelled', error: { code: 'CANCELLED' } },
      next: 'Call retry_presentation to continue it.',
    })
    world.presenton.gates.releaseAll()
    expect(await mcp.get('retry_presentation', { id: b })).toMatchObject({ next: untilCompleted })
    expect(await mcp.get('get_presentation', { id: b, wait_seconds: 45 })).toMatchObject({
      presentation: { status: 'completed' },
    })
    expect(await mcp.refusal('cancel_presentation', { id: b })).toMatchObject({ code: 'CONFLICT' })

    const exported = { id: a, format: 'pdf', idempotency_key: 'pdf' }
    expect(await mcp.get('export_presentation', exported)).toMatchObject({ next: untilCompleted })
    await mcp.get('get_presentation', { id: a, wait_seconds: 45 })
    const again = await mcp.get('export_presentation', exported)
    expect(again.presentation).toMatchObject({ status: 'completed' })
    expect(again.next).toContain('This idempotency_key started this export before.')
    expect(await mcp.get('get_download_link', { id: a, format: 'pdf' })).toMatchObject({
      file_name: expect.stringMatching(/\.pdf$/),
    })

    expect(await mcp.get('delete_presentation', { id: a })).toEqual({ deleted: true })
    expect(await mcp.refusal('get_presentation', { id: a })).toEqual({
      code: 'NOT_FOUND',
      detail: 'The resource does not exist.',
    })
  })

  test('reads templates and quotas', async () => {
    const mcp = await open()
    const templates = []
    for await (const template of mcp.gateway.templates.list()) templates.push(template)
    expect(await mcp.get('list_templates')).toEqual({ templates })
    expect(await mcp.get('get_usage')).toEqual({ usage: await mcp.gateway.usage.get() })
  })

  test.each([
    ['get_presentation', {}],
    ['get_outlines', {}],
    ['get_slides', {}],
    ['approve_outlines', {}],
    ['edit_slide', { index: 0, instruction: 'Shorter.' }],
    ['export_presentation', { format: 'pdf' }],
    ['get_download_link', {}],
    ['cancel_presentation', {}],
    ['retry_presentation', {}],
    ['delete_presentation', {}],
  ])('%s: NOT_FOUND for another user, an unknown and a malformed id', async (name, args) => {
    const [alice, mallory] = [await open(), await open()]
    const { presentation } = await alice.get('make_presentation', brief)
    for (const id of [presentation.id, unknownId, '../x', '']) {
      expect(await mallory.refusal(name, { id, ...args }), id).toMatchObject({
        code: 'NOT_FOUND',
      })
    }
    await alice.get('get_presentation', { id: presentation.id, wait_seconds: 45 })
  })

  test.each([
    ['make_presentation', {}, '/content is required'],
    ['make_presentation', { content: ' ' }, '/content must not be blank'],
    ['make_presentation', { content: 'a', n_slides: '3' }, '/n_slides must be integer'],
    ['make_presentation', { content: 'a', wait_seconds: 301 }, '/wait_seconds must be <= 300'],
    ['make_presentation', { content: 'a', wait_seconds: -1 }, '/wait_seconds must be >= 0'],
    ['make_presentation', { content: 'a', idempotency_key: 'a b' }, '/idempotency_key'],
    ['make_presentation', { content: 'a', shoe_size: 43 }, '/shoe_size is not allowed'],
    ['get_presentation', {}, '/id is required'],
    ['get_presentation', { id: 7 }, '/id must be string'],
    ['export_presentation', { id: unknownId, format: 'docx' }, '/format must be one of'],
    ['edit_slide', { id: unknownId, instruction: 'a' }, '/index is required'],
    ['edit_slide', { id: unknownId, index: -1, instruction: 'a' }, '/index must be >= 0'],
    ['edit_slide', { id: unknownId, index: 0, instruction: ' ' }, '/instruction must not be blank'],
    ['list_presentations', { limit: 0 }, '/limit must be >= 1'],
    ['get_usage', { a: 1 }, '/a is not allowed'],
  ])('%s %j is VALIDATION_FAILED and names the place', async (name, args, place) => {
    const mcp = await open()
    const refused = await mcp.refusal(name, args)
    expect(refused).toEqual({ code: 'VALIDATION_FAILED', detail: expect.stringContaining(place) })
  })

  test('an unknown tool is an error of the protocol', async () => {
    const mcp = await open()
    await expect(mcp.client.callTool({ name: 'format_disk' })).rejects.toMatchObject({
      code: -32602,
    })
  })
})

test('quotas and limits are told with the seconds to wait', async () => {
  const world = await openWorld({ env: { QUOTA_PER_HOUR: '1' } })
  try {
    const token = await world.sign({ sub: 'alice' })
    const mcp = await openMcpClient(() => world.url, { token, protocol: '2026-07-28' })
    await mcp.get('make_presentation', { ...brief, wait_seconds: 45 })
    const refused = await mcp.refusal('make_presentation', { ...brief, title: 'Another' })
    expect(refused).toEqual({
      code: 'QUOTA_EXCEEDED',
      detail: expect.any(String),
      retry_after: expect.any(Number),
    })
    expect(refused.retry_after).toBeGreaterThan(3_000)
    await world.expectNoLeaks()
  } finally {
    await world.close()
  }
})
