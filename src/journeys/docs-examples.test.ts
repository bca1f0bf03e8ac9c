// The examples of the documentation do what the text says: they are taken from the pages and run as
// they stand there.

import { execFile, spawnSync } from 'node:child_process'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { openTemporaryFolder } from '../sandbox/temporary-folder.ts'
import { waitFor } from '../sandbox/wait-for.ts'
import { type BrowserOptions, openBrowser } from './browser.ts'
import { type CodeBlock, readBlocks, readProse, readSection } from './docs-pages.ts'
import { openFlakyProxy } from './flaky-proxy.ts'
import { listRoutes, readOpenApi } from './openapi-routes.ts'
import { reachState, type State } from './presentation-states.ts'
import { brief, type User } from './user.ts'
import { openWorld, type World } from './world.ts'

let world: World
let user: User
let api: string
beforeAll(async () => {
  world = await openWorld({
    env: {
      APP_LINK: 'https://app.example/decks/{id}',
      MAX_RUNNING: '50',
      MAX_RUNNING_PER_USER: '1',
    },
  })
  user = await world.createUser()
  api = `${world.url}/api/v1`
})
afterEach(() => world.expectNoLeaks())
afterAll(() => world.close())

function readCode(page: string, section: string, language: string): string {
  const block = readBlocks(page).find((one) => one.section === section && one.language === language)
  if (!block) throw new Error(`${page} has no ${language} block under "${section}"`)
  return block.code
}

const AsyncFunction = (async () => undefined).constructor as new (
  ...parts: string[]
) => (...values: unknown[]) => Promise<unknown>

/** Runs an example with these names in scope, and returns the value of `last`. */
function run(code: string, scope: Record<string, unknown>, last = ''): Promise<unknown> {
  return new AsyncFunction(...Object.keys(scope), `${code}\n${last}`)(...Object.values(scope))
}

describe('the tool for agents', () => {
  type MakePresentation = (given: object, key: string) => Promise<Record<string, string>>
  const openTool = (scope: Record<string, unknown> = {}) =>
    run(
      readCode('README.md', 'For agents', 'js'),
      { API: api, TOKEN: user.token, ...scope },
      'return makePresentation',
    ) as Promise<MakePresentation>

  test('offers what a brief may contain, within its limits', async () => {
    const { type, function: tool } = JSON.parse(
      readCode('docs/agents.md', 'A tool of your own', 'json'),
    )
    expect([type, tool.name]).toEqual(['function', 'make_presentation'])
    const described = listRoutes(await readOpenApi(world.url)).find(
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

  test('returns links to the app and the file, and the same presentation for a repeated call', async () => {
    const make = await openTool()
    const response = await make(brief, 'call_1')
    const [made] = (await user.api('/presentations')).body.items
    expect(response).toMatchObject({
      status: 'completed',
      title: made.title,
      open: `https://app.example/decks/${made.id}`,
      download_until: expect.stringMatching(/^20/),
    })
    const file = await fetch(response['download'] ?? '')
    expect([file.status, (await file.arrayBuffer()).byteLength]).toEqual([
      200,
      made.files[0].size_bytes,
    ])
    expect(await make(brief, 'call_1')).toMatchObject({ open: response['open'] })
    expect((await user.api('/presentations')).body.items).toHaveLength(1)
  })

  test('survives pages of a proxy, broken connections, and makes one presentation', async () => {
    const other = await world.createUser()
    const proxy = await openFlakyProxy(world.url, ['cut response', 504, 'reset', 502])
    const waits: number[] = []
    const setTimeout = (resume: () => void, ms: number) => waits.push(ms) && setImmediate(resume)
    try {
      const make = await openTool({ API: `${proxy.url}/api/v1`, TOKEN: other.token, setTimeout })
      expect(await make(brief, 'call_4')).toMatchObject({ status: 'completed' })
      expect(waits).toEqual([1_000, 2_000, 4_000, 8_000])
      expect((await other.api('/presentations')).body.items).toHaveLength(1)
      // A wait must end before the time limit of a usual proxy.
      const seconds = proxy.paths.map((path) => /wait=(\d+)/.exec(path)?.[1]).filter(Boolean)
      expect(seconds.length).toBeGreaterThan(0)
      expect(Math.max(...seconds.map(Number))).toBeLessThanOrEqual(30)
    } finally {
      await proxy.close()
    }
  })

  test('ends with an error at a proxy that never has JSON', async () => {
    const proxy = await openFlakyProxy(world.url, Array(20).fill(504))
    const notFound = await openFlakyProxy(world.url, [404])
    const setTimeout = (resume: () => void) => setImmediate(resume)
    try {
      for (const [{ url }, message] of [
        [proxy, '504'],
        [notFound, '404'],
      ] as const) {
        const make = await openTool({ API: `${url}/api/v1`, setTimeout })
        await expect(make(brief, 'call_5')).rejects.toThrow(message)
      }
    } finally {
      await Promise.all([proxy.close(), notFound.close()])
    }
  })

  test('reports why a brief was refused, and why a run stopped before its end', async () => {
    const make = await openTool()
    await expect(make({ ...brief, n_slides: 0 }, 'call_2')).rejects.toThrow('VALIDATION_FAILED')
    expect(await make({ ...brief, review_outlines: true }, 'call_3')).toEqual({
      status: 'awaiting_outlines',
      error: null,
    })
  })
})

describe('the client recipes of docs/events.md', () => {
  const withinMs = { timeout: 20_000, interval: 20 }
  const recipe = (section: string) => readCode('docs/events.md', section, 'js')

  async function inBrowser(
    options: Partial<BrowserOptions>,
    check: (browser: ReturnType<typeof openBrowser>) => Promise<void>,
  ) {
    const browser = openBrowser({ origin: world.url, ...options })
    try {
      await check(browser)
    } finally {
      browser.close()
    }
  }

  /** The `handle` of the recipes: keeps every event, and returns true for the terminal one. */
  function createHandler() {
    const events: { type: string }[] = []
    const handle = (event: { type: string }) => {
      events.push(event)
      return event.type === 'complete' || event.type === 'error'
    }
    return { events, handle }
  }

  // Each subscriber gets a download link of its own.
  const withoutLinks = (events: object[]) =>
    events.map((event) => ({ ...event, download: undefined }))

  async function readWholeLog(id: string) {
    const events = await (await user.subscribe(id)).rest()
    return withoutLinks(events.map(({ data }) => data))
  }

  test.each([{ breakAfter: 3 }, {}])(
    'a page on the same site shows a deck as it is made, with the cookie: %o',
    async (options) => {
      const { id } = await user.submit()
      await inBrowser(options, async ({ fetch, EventSource, connections }) => {
        const page = {
          showProgress: vi.fn(),
          showSlide: vi.fn(),
          showLink: vi.fn(),
          showError: vi.fn(),
        }
        const code = recipe('In a browser on the same site')
        await run(code, { ...page, fetch, EventSource, id, token: user.token })
        await vi.waitFor(() => expect(page.showLink).toHaveBeenCalledOnce(), withinMs)
        const stages = page.showProgress.mock.calls.map(([stage]) => stage)
        expect(stages).toEqual(['create', 'outlines', 'prepare', 'slides', 'export', 'store'])
        expect(page.showSlide.mock.calls.map(([slide]) => slide.index)).toEqual([0, 1, 2])
        expect((await globalThis.fetch(page.showLink.mock.calls[0]?.[0])).status).toBe(200)
        expect(page.showError).not.toHaveBeenCalled()
        expect(connections).toHaveLength(options.breakAfter ? 2 : 1)
      })
    },
  )

  test('a page of another site follows with one ticket per connection, without a gap', async () => {
    const { id } = await user.submit()
    const { events, handle } = createHandler()
    await inBrowser({ breakAfter: 3 }, async ({ EventSource, connections }) => {
      const code = recipe('In a browser on another site, with tickets')
      await run(code, { API: api, EventSource, handle, id, token: user.token })
      await vi.waitFor(() => expect(events.at(-1)).toMatchObject({ type: 'complete' }), withinMs)
      expect(withoutLinks(events)).toEqual(await readWholeLog(id))
      expect(new Set(connections).size).toBe(2)
    })
  })

  test('a program without EventSource reads the same events', async () => {
    const { id } = await user.submit()
    const { events, handle } = createHandler()
    const code = recipe('With fetch, in a browser or in Node')
    await run(code, { API: api, handle, id, token: user.token })
    expect(events.at(-1)).toMatchObject({ type: 'complete' })
    expect(withoutLinks(events)).toEqual(await readWholeLog(id))
  })

  test('a program continues behind a proxy that fails, and stops at a refusal', async () => {
    const { id } = await user.submit()
    const { events, handle } = createHandler()
    const proxy = await openFlakyProxy(world.url, [502, 'reset', 'cut response', 504])
    const setTimeout = (resume: () => void) => setImmediate(resume)
    const getToken = async () => user.token
    const code = recipe('With fetch, reconnecting and renewing the token')
    try {
      const API = `${proxy.url}/api/v1`
      await run(code, { API, handle, id, getToken, setTimeout })
      expect(withoutLinks(events)).toEqual(await readWholeLog(id))
      expect(proxy.paths.length).toBeGreaterThan(4)
      const refused = run(code, { API, handle, id, getToken: async () => 'x', setTimeout })
      await expect(refused).rejects.toThrow('AUTHENTICATION_FAILED')
    } finally {
      await proxy.close()
    }
  })

  test('a program continues with a new token when the first one expires', async () => {
    const { gates } = world.presenton
    gates.hold('slides:slide')
    const { id } = await user.submit()
    await gates.arrived('slides:slide')
    const { events, handle } = createHandler()
    const getToken = vi
      .fn(() => Promise.resolve(user.token))
      .mockImplementationOnce(() => world.sign({ sub: user.sub, expiresInSeconds: 1 }))
    const code = recipe('With fetch, reconnecting and renewing the token')
    const ended = run(code, { API: api, handle, id, getToken })
    await vi.waitFor(() => expect(getToken).toHaveBeenCalledTimes(2), withinMs)
    gates.releaseAll()
    await ended
    expect(events.filter((event) => 'code' in event)).toMatchObject([{ code: 'TOKEN_EXPIRED' }])
    expect(withoutLinks(events.filter((event) => !('code' in event)))).toEqual(
      await readWholeLog(id),
    )
  })
})

const hasCurl = spawnSync('curl', ['--version']).status === 0

describe.skipIf(!hasCurl)('the curl lines', () => {
  const folder = openTemporaryFolder('docs-examples')
  afterAll(() => folder.remove())

  /** The state that a presentation must be in for the example of a section. */
  const states: Record<string, State> = {
    'POST /presentations/{id}/cancel': 'queued',
    'POST /presentations/{id}/retry': 'cancelled',
    'PUT /presentations/{id}/outlines': 'awaiting_outlines',
  }

  interface Example extends CodeBlock {
    /** The response that the page shows below, if any. */
    response: CodeBlock | undefined
  }

  const examples: Example[] = ['README.md', 'docs/api.md', 'docs/events.md', 'docs/operations.md']
    .flatMap((page) => {
      const blocks = readBlocks(page)
      return blocks.map((block, i) => {
        const next = blocks[i + 1]
        const isResponse =
          next?.section === block.section && /^(json|http)$/.test(next?.language ?? '')
        return { ...block, response: isResponse ? next : undefined }
      })
    })
    .filter(({ language, code }) => language === 'sh' && /^curl /m.test(code))

  /** Member names at every level; an array is described by its first element. */
  function shapeOf(value: unknown): unknown {
    if (Array.isArray(value)) return value.slice(0, 1).map(shapeOf)
    if (typeof value !== 'object' || value === null) return 'value'
    return Object.fromEntries(
      Object.entries(value)
        .map(([name, inner]) => [name, inner === null ? 'value' : shapeOf(inner)])
        .sort(),
    )
  }

  function expectResponse({ language, code }: CodeBlock, output: string) {
    if (language === 'json')
      return expect(shapeOf(JSON.parse(output))).toEqual(shapeOf(JSON.parse(code)))
    const [head = '', body = ''] = output.replaceAll('\r', '').split('\n\n')
    const [documentedHead = '', documentedBody = ''] = code.trimEnd().split('\n\n')
    for (const line of documentedHead.split('\n'))
      expect(head.toLowerCase()).toContain(line.toLowerCase())
    if (documentedBody)
      expect(shapeOf(JSON.parse(body))).toEqual(shapeOf(JSON.parse(documentedBody)))
  }

  test.each(examples)('$page, $section', async ({ section, code, response }) => {
    const owner = await world.createUser()
    const { id } = await reachState(world, owner, states[section] ?? 'completed')
    const assigned = /^(TOKEN|API|ID)=.*$/gm
    const script = code.replace(assigned, '').replaceAll('http://localhost:3000', world.url)
    const { stdout } = await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', script], {
      cwd: folder.path,
      env: { PATH: process.env['PATH'], TOKEN: owner.token, API: api, ID: id },
    })
    if (response) expectResponse(response, stdout)
    else if (/"code":/.test(stdout)) expect(JSON.parse(stdout)).not.toHaveProperty('code')
    world.presenton.gates.releaseAll()
    await waitFor(async () => {
      const { items } = (await owner.api('/presentations')).body
      const waiting = items.filter(({ status }: { status: string }) =>
        /queued|running/.test(status),
      )
      expect(waiting).toEqual([])
    })
  })
})

describe('docs/api.md', () => {
  /** The problem codes of a text, in backquotes. */
  const codesIn = (text: string) =>
    new Set([...text.matchAll(/`([A-Z]+(?:_[A-Z]+)*)`/g)].map(([, code]) => code ?? ''))

  test('has a section for every route, with the problem codes of its description', async () => {
    const routes = listRoutes(await readOpenApi(world.url)).filter(
      ({ path, needsAuth }) => path.startsWith('/api/') || needsAuth,
    )
    expect(routes.length).toBeGreaterThan(15)
    const common = codesIn(readSection('docs/api.md', 'Codes of every route'))
    for (const { method, path, responses } of routes) {
      const heading = `${method} ${path.replace(/^\/api\/v1/, '')}`
      const section = readSection('docs/api.md', heading)
      const listed = codesIn(section.split('Codes:')[1] ?? '')
      const known = new Set([...codesIn(section), ...common])
      const described = codesIn(JSON.stringify(responses))
      expect(section, heading).not.toBe('')
      expect(
        [...described].filter((code) => !known.has(code)),
        heading,
      ).toEqual([])
      expect(
        [...listed].filter((code) => !described.has(code)),
        heading,
      ).toEqual([])
    }
  })
})

test('docs/operations.md describes exactly the metrics of the gateway', async () => {
  const text = await (await fetch(`${world.url}/metrics`)).text()
  const ours = /(?:gateway|http|presenton)_\w+/.source
  const names = (from: string, before: string) =>
    [...from.matchAll(new RegExp(`^${before}(${ours})`, 'gm'))].map(([, name]) => name).sort()
  expect(names(readProse('docs/operations.md'), '\\| `')).toEqual(names(text, '# HELP '))
})
