import { describe, expect, it, onTestFinished } from 'vitest'
import { openStandIn, type StandInOptions, shapes } from '../stand-in.ts'
import { createTestClient, finishDeck, prepareDeck } from '../test-client.ts'

async function open(options: StandInOptions = {}) {
  const presenton = await openStandIn(options)
  onTestFinished(() => presenton.close())
  return { presenton, client: createTestClient(presenton) }
}

const unknown = '00000000-0000-4000-8000-000000000000'
const credentials = { username: 'admin', password: 'correct horse' }

describe('features that the gateway probes', () => {
  it.each([
    [
      'A1',
      { $ref: '#/components/schemas/PresentationLayoutModel' },
      '/api/v1/ppt/presentation/export',
      false,
      false,
    ],
    ['T', { $ref: '#/components/schemas/PresentationLayoutModel' }, undefined, false, false],
    ['B1', { type: 'string', title: 'Layout' }, undefined, true, false],
    ['B2', { type: 'string', title: 'Layout' }, '/api/v1/ppt/presentation/{id}/export', true, true],
  ] as const)(
    'of %s are visible in its openapi.json',
    async (shape, layout, exportPath, tasks, modes) => {
      const { client } = await open({ shape })
      const api = JSON.parse((await client.send('GET', '/openapi.json')).text)
      const schemaOf = (path: string) => {
        const { $ref } = api.paths[path].post.requestBody.content['application/json'].schema
        return api.components.schemas[$ref.split('/').at(-1)].properties
      }
      expect(schemaOf('/api/v1/ppt/presentation/prepare').layout).toEqual(layout)
      expect('generation_mode' in schemaOf('/api/v1/ppt/presentation/create')).toBe(modes)
      expect(Object.keys(api.paths).find((path) => path.endsWith('/export'))).toBe(exportPath)
      expect('/api/v1/async-tasks' in api.paths).toBe(tasks)
      expect(api.info.version).toBe('0.1.0')
      expect((await client.send('GET', '/api/v1/auth/status')).status).toBe(
        shape === 'A1' ? 404 : 200,
      )
    },
  )
})

describe('recorded replies', () => {
  it('to invalid bodies of create', async () => {
    const { client } = await open({ shape: 'A1' })
    const text = async (body: unknown) =>
      (await client.send('POST', 'presentation/create', body)).text
    expect(await text({ content: 'x' })).toBe(
      '{"detail":[{"type":"missing","loc":["body","n_slides"],"msg":"Field required","input":null},{"type":"missing","loc":["body","language"],"msg":"Field required","input":null}]}',
    )
    const full = { content: 'x', n_slides: 3, language: 'English' }
    expect(await text({ ...full, tone: 'angry' })).toBe(
      `{"detail":[{"type":"enum","loc":["body","tone"],"msg":"Input should be 'default', 'casual', 'professional', 'funny', 'educational' or 'sales_pitch'","input":"angry","ctx":{"expected":"'default', 'casual', 'professional', 'funny', 'educational' or 'sales_pitch'"}}]}`,
    )
    expect(await text({ ...full, n_slides: 2, include_table_of_contents: true })).toBe(
      '{"detail":"Number of slides cannot be less than 3 if table of contents is included"}',
    )
  })

  it('to numbers of slides that B rejects', async () => {
    const { client } = await open({ shape: 'B1' })
    const text = async (n_slides: number) =>
      (await client.send('POST', 'presentation/create', { content: 'x', n_slides })).text
    expect(await text(0)).toBe('{"detail":"Number of slides must be greater than 0"}')
    expect(await text(51)).toBe('{"detail":"Number of slides cannot be greater than 50"}')
  })

  it('to malformed ids', async () => {
    const onA = await (await open({ shape: 'A1' })).client.send('GET', 'presentation/not-a-uuid')
    expect(onA.text).toBe(
      '{"detail":[{"type":"uuid_parsing","loc":["path","id"],"msg":"Input should be a valid UUID, invalid character: expected an optional prefix of `urn:uuid:` followed by [0-9a-fA-F-], found `n` at 1","input":"not-a-uuid","ctx":{"error":"invalid character: expected an optional prefix of `urn:uuid:` followed by [0-9a-fA-F-], found `n` at 1"}}]}',
    )
    const onB = await (await open({ shape: 'B1' })).client.send('GET', 'outlines/stream/not-a-uuid')
    expect(onB.text).toBe(
      '{"detail":[{"type":"uuid_parsing","loc":["path","id"],"msg":"Input should be a valid UUID, invalid character: found `n` at 1","input":"not-a-uuid","ctx":{"error":"invalid character: found `n` at 1"}}]}',
    )
  })

  it.each(shapes)('to unknown and unprepared decks on %s', async (shape) => {
    const { client } = await open({ shape })
    const notFound = '{"detail":"Presentation not found"}'
    for (const path of [
      `outlines/stream/${unknown}`,
      `presentation/stream/${unknown}`,
      `presentation/${unknown}`,
    ]) {
      expect((await client.send('GET', path)).text).toBe(notFound)
    }
    expect((await client.prepare(unknown, [{ content: 'a' }])).text).toBe(notFound)
    expect((await client.export(unknown)).text).toBe(notFound)
    const id = await client.create()
    expect((await client.slides(id)).text).toBe('{"detail":"Presentation not prepared for stream"}')
    expect((await client.prepare(id, [])).text).toBe('{"detail":"Outlines are required"}')
  })

  it('to the wrong type of layout', async () => {
    const { client } = await open({ shape: 'B1' })
    const id = await client.create()
    const prepare = async (layout: unknown) =>
      (
        await client.send('POST', 'presentation/prepare', {
          presentation_id: id,
          outlines: [{ content: 'a' }],
          layout,
        })
      ).text
    expect(await prepare('no-such')).toBe('{"detail":"Template layout not found"}')
    expect(await prepare({ name: 'general', slides: [] })).toBe(
      '{"detail":[{"type":"string_type","loc":["body","layout"],"msg":"Input should be a valid string","input":{"name":"general","slides":[]}}]}',
    )
  })

  it('to the template routes of A and B', async () => {
    const a = (await open({ shape: 'A1' })).client
    expect(await a.send('GET', '/api/templates')).toMatchObject({
      status: 500,
      text: '{"error":"Failed to read presentation-templates directory"}',
    })
    expect(await a.send('GET', '/api/template?group=nope')).toMatchObject({
      status: 500,
      text: '{"error":"Failed to fetch or parse client page"}',
    })
    expect(
      JSON.parse((await a.send('GET', '/api/template?group=neo-swift')).text).slides[0].id,
    ).toBe('neo-swift:general-intro-slide')
    const b = (await open({ shape: 'B1' })).client
    const page = JSON.parse(
      (await b.send('GET', 'template/all?page=2&page_size=3&default=true')).text,
    )
    expect([page.items.map((item: { id: string }) => item.id), page.total]).toEqual([
      ['modern', 'general', 'executive'],
      7,
    ])
    expect((await b.send('GET', 'template/all?page_size=101')).status).toBe(422)
    expect((await b.send('GET', 'template/nope')).text).toBe('{"detail":"Template not found"}')
  })
})

describe('prepare', () => {
  it('clears the language on B, keeps it on A, and accepts a title', async () => {
    for (const [shape, language] of [
      ['A1', 'English'],
      ['B1', ''],
    ] as const) {
      const { presenton, client } = await open({ shape })
      const id = await client.create()
      await client.prepare(id, [{ content: '# a' }, { content: '# b' }], { title: 'Mine' })
      expect(presenton.decks.get(id)).toMatchObject({ language, title: 'Mine', n_slides: 3 })
      expect(presenton.decks.get(id)?.outlines).toHaveLength(2)
    }
  })

  it('returns 500 without cost for an ordered layout with too few slides', async () => {
    const { presenton, client } = await open({ shape: 'A1' })
    const layout = { name: 'general', ordered: true, slides: [{ id: 'general:a' }] }
    const body = {
      presentation_id: await client.create(),
      outlines: [{ content: 'a' }, { content: 'b' }],
      layout,
    }
    expect((await client.send('POST', 'presentation/prepare', body)).text).toBe(
      'Internal Server Error',
    )
    expect(presenton.spend.prepares).toBe(0)
  })
})

describe('PATCH', () => {
  it('changes the title, echoes no slides, and resets the theme on B', async () => {
    const { presenton, client } = await open({ shape: 'B1' })
    const id = await finishDeck(client)
    await client.send('PATCH', 'presentation/update', { id, theme: { name: 't' } })
    expect(presenton.decks.get(id)?.theme).toEqual({ name: 't' })
    const { text } = await client.send('PATCH', 'presentation/update', { id, title: 'New' })
    expect(JSON.parse(text)).toMatchObject({ title: 'New', slides: [] })
    expect(presenton.decks.get(id)).toMatchObject({ theme: null, slides: { length: 3 } })
  })

  it('replaces all slides, and returns 500 for one without an id', async () => {
    const { presenton, client } = await open({ shape: 'A1' })
    const id = await finishDeck(client)
    const { slides } = JSON.parse((await client.send('GET', `presentation/${id}`)).text)
    expect(
      (await client.send('PATCH', 'presentation/update', { id, slides: slides.slice(0, 2) }))
        .status,
    ).toBe(200)
    expect(presenton.decks.get(id)?.slides).toHaveLength(2)
    expect(
      (
        await client.send('PATCH', 'presentation/update', {
          id,
          slides: [{ ...slides[0], id: undefined }],
        })
      ).status,
    ).toBe(500)
  })
})

describe('GET and PUT of outlines', () => {
  it('truncate to 100 words on B and set the number of slides', async () => {
    const { presenton, client } = await open({ shape: 'B1' })
    const id = await client.create()
    expect((await client.send('GET', `outlines/${id}`)).text).toBe('{"slides":[]}')
    const content = `# Long\n\n${Array.from({ length: 150 }, (_, index) => `w${index}`).join(' ')}`
    const { text } = await client.send('PUT', `outlines/${id}`, {
      slides: [{ content }, { content }],
    })
    expect(JSON.parse(text).slides[0].content.split(/\s+/)).toHaveLength(100)
    expect(presenton.decks.get(id)?.n_slides).toBe(2)
    expect(
      (await client.send('PUT', `outlines/${id}`, { slides: Array(51).fill({ content: 'x' }) }))
        .status,
    ).toBe(422)
  })

  it('do not exist on A', async () => {
    const { client } = await open({ shape: 'A1' })
    expect((await client.send('GET', `outlines/${await client.create()}`)).text).toBe(
      '{"detail":"Not Found"}',
    )
  })
})

describe('names of exports', () => {
  it.each([
    ['Q3: results/100% #1 "done"?', 'Q3 results100% #1 done'],
    ['Übersicht 日本語 😀', 'Übersicht 日本語 😀'],
    ['../../etc/passwd', '....etcpasswd'],
    ['.hidden', '.hidden'],
    ['CON', 'CON_'],
    ['a\nb', 'ab'],
    ['  spaced  ', 'spaced'],
    ['%41%2f..', '%41%2f'],
  ])('are made of the title on A: %j', async (title, name) => {
    const { client } = await open({ shape: 'A1' })
    const id = await finishDeck(client)
    await client.send('PATCH', 'presentation/update', { id, title })
    const { path } = JSON.parse((await client.export(id)).text)
    expect(path).toBe(`/app_data/exports/${name}.pptx`)
    const url = `/app_data/exports/${encodeURIComponent(name)}.pptx`
    expect((await client.call('GET', url)).status).toBe(200)
  })

  it.each([
    ['x', 250, 251],
    ['日', 83, 84],
  ])('are too long for A with too many of: %s', async (letter, fits, tooMany) => {
    const { client } = await open({ shape: 'A1' })
    const id = await finishDeck(client)
    const exportTitled = async (count: number) => {
      await client.send('PATCH', 'presentation/update', { id, title: letter.repeat(count) })
      return client.export(id)
    }
    expect((await exportTitled(fits)).status).toBe(200)
    expect(await exportTitled(tooMany)).toMatchObject({
      status: 500,
      text: 'Internal Server Error',
    })
  })

  it('are truncated to 200 bytes on B, in the folder of the user', async () => {
    const { presenton, client } = await open({
      shape: 'B1',
      credentials,
      apiKeys: ['sk-presenton-1'],
    })
    const admin = createTestClient(presenton, { authorization: 'Bearer sk-presenton-1' })
    expect((await client.export(unknown)).status).toBe(401)
    const id = await prepareDeck(admin)
    await admin.slides(id)
    await admin.send('PATCH', 'presentation/update', { id, title: '日'.repeat(100) })
    const { path } = JSON.parse((await admin.export(id)).text)
    expect(path).toMatch(/^\/app_data\/exports\/users\/[0-9a-f-]{36}\/日{66}\.pptx$/)
  })
})
