// The README's lines of code do what the README says: they are taken out of it, and run as they
// stand there.

import { readFileSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import { readDescription, routesOf } from './described-routes.ts'
import { type BrowserOptions, openBrowser } from './event-source.ts'
import { brief, type User } from './user.ts'
import { openWorld, type World } from './world.ts'

const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')

/** The code blocks of one section. */
function blocksOf(section: string, language: string): string[] {
  const text = readme.split(/^## /m).find((one) => one.startsWith(`${section}\n`)) ?? ''
  return [...text.matchAll(/^```(\w+)\n(.*?)^```$/gms)].flatMap(([, its, code]) =>
    its === language ? [code ?? ''] : [],
  )
}

const AsyncFunction = (async () => undefined).constructor as new (
  ...parts: string[]
) => (...given: unknown[]) => Promise<unknown>

/** Runs code with these words known to it, and gives back what `last` is. */
function run(code: string, known: Record<string, unknown>, last = ''): Promise<unknown> {
  return new AsyncFunction(...Object.keys(known), `${code}\n${last}`)(...Object.values(known))
}

let world: World
let user: User
let api: string
beforeAll(async () => {
  world = await openWorld({ env: { APP_LINK: 'https://app.example/decks/{id}' } })
  user = await world.user()
  api = `${world.url}/api/v1`
})
afterEach(() => world.expectNothingLeft())
afterAll(() => world.close())

const [toolBlock = ''] = blocksOf('For agents', 'json')
const [agentBlock = ''] = blocksOf('For agents', 'js')
const [cookieBlock = '', ticketBlock = '', bearerBlock = ''] = blocksOf('The event stream', 'js')

test('the tool offers what a brief may hold, within its bounds', async () => {
  const { type, function: tool } = JSON.parse(toolBlock)
  expect([type, tool.name]).toEqual(['function', 'make_presentation'])
  const described = routesOf(await readDescription(world.url)).find(
    ({ operationId }) => operationId === 'createPresentation',
  )
  const allowed = described?.bodySchema?.['properties'] as Record<string, Record<string, unknown>>
  const offered = Object.entries<Record<string, unknown>>(tool.parameters.properties)
  expect(offered.length).toBeGreaterThan(3)
  for (const [name, { description: _, ...bounds }] of offered)
    expect(allowed[name], name).toMatchObject(bounds)
  expect(Object.keys(tool.parameters.properties)).toEqual(
    expect.arrayContaining(tool.parameters.required),
  )
  expect(tool.parameters.additionalProperties).toBe(false)
})

type MakePresentation = (given: object, key: string) => Promise<Record<string, string>>

test('an agent gets a link to the app and one to the file, and the same deck when it asks again', async () => {
  const make = (await run(
    agentBlock,
    { API: api, TOKEN: user.token },
    'return makePresentation',
  )) as MakePresentation
  const answer = await make(brief, 'call_1')
  const [made] = (await user.api('/presentations')).body.items
  expect(answer).toMatchObject({
    status: 'completed',
    title: made.title,
    open: `https://app.example/decks/${made.id}`,
    download_until: expect.stringMatching(/^20/),
  })
  const file = await fetch(answer['download'] ?? '')
  expect([file.status, (await file.arrayBuffer()).byteLength]).toEqual([
    200,
    made.files[0].size_bytes,
  ])
  expect(await make(brief, 'call_1')).toMatchObject({ open: answer['open'] })
  expect((await user.api('/presentations')).body.items).toHaveLength(1)
})

test('an agent reads why a brief was refused, and when a run stopped before its end', async () => {
  const make = (await run(
    agentBlock,
    { API: api, TOKEN: user.token },
    'return makePresentation',
  )) as MakePresentation
  await expect(make({ ...brief, n_slides: 0 }, 'call_2')).rejects.toThrow('VALIDATION_FAILED')
  expect(await make({ ...brief, review_outlines: true }, 'call_3')).toEqual({
    status: 'awaiting_outlines',
    error: null,
  })
})

async function inBrowser(
  options: Partial<BrowserOptions>,
  look: (browser: ReturnType<typeof openBrowser>) => Promise<void>,
) {
  const browser = openBrowser({ origin: world.url, ...options })
  try {
    await look(browser)
  } finally {
    browser.close()
  }
}

const withinMs = { timeout: 20_000, interval: 20 }

test.each([{ breakAfter: 3 }, {}])(
  'a page on the same site shows a deck as it comes, by its cookie: %o',
  async (options) => {
    const { id } = await user.accept()
    await inBrowser(options, async ({ fetch, EventSource, connections }) => {
      const shown = {
        showProgress: vi.fn(),
        showSlide: vi.fn(),
        showLink: vi.fn(),
        showTrouble: vi.fn(),
      }
      await run(cookieBlock, { ...shown, fetch, EventSource, id, token: user.token })
      await vi.waitFor(() => expect(shown.showLink).toHaveBeenCalledOnce(), withinMs)
      const stages = shown.showProgress.mock.calls.map(([stage]) => stage)
      expect(stages).toEqual(['create', 'outlines', 'prepare', 'slides', 'export', 'store'])
      expect(shown.showSlide.mock.calls.map(([slide]) => slide.index)).toEqual([0, 1, 2])
      expect((await globalThis.fetch(shown.showLink.mock.calls[0]?.[0])).status).toBe(200)
      expect(shown.showTrouble).not.toHaveBeenCalled()
      expect(connections).toHaveLength(options.breakAfter ? 2 : 1)
    })
  },
)

/** What `handle` of the README's lines is: keeps every event, and says when it was the last. */
function keep() {
  const events: { type: string }[] = []
  const isEnd = (type: string) => type === 'complete' || type === 'error'
  const handle = (event: { type: string }) => {
    events.push(event)
    return isEnd(event.type)
  }
  return { events, handle }
}

/**
 * Everything that a reader of the whole stream sees, but for the link, which is another each time.
 */
async function wholeLog(id: string) {
  return (await (await user.follow(id)).rest()).map(({ data }) => ({
    ...data,
    download: undefined,
  }))
}

const withoutLinks = (events: object[]) =>
  events.map((event) => ({ ...event, download: undefined }))

test('a page of another site follows by tickets, one a connection, and misses nothing in between', async () => {
  const { id } = await user.accept()
  const { events, handle } = keep()
  await inBrowser({ breakAfter: 3 }, async ({ EventSource, connections }) => {
    await run(ticketBlock, { API: api, EventSource, handle, id, token: user.token })
    await vi.waitFor(() => expect(events.at(-1)).toMatchObject({ type: 'complete' }), withinMs)
    expect(withoutLinks(events)).toEqual(await wholeLog(id))
    expect(new Set(connections).size).toBe(2)
  })
})

test('a program without EventSource reads the same events', async () => {
  const { id } = await user.accept()
  const { events, handle } = keep()
  await run(bearerBlock, { API: api, handle, id, token: user.token })
  expect(events.at(-1)).toMatchObject({ type: 'complete' })
  expect(withoutLinks(events)).toEqual(await wholeLog(id))
})
