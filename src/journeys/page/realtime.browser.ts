// Real-time connections of pages in a real browser: on the gateway's own origin, and on another one
// of the same site, to which the browser sends the session cookie as well.

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type Browser, openChromium, openEmptySite, type Page } from '../../sandbox/chromium.ts'
import { findFreePort } from '../../sandbox/ports.ts'
import { openTcpProxy, type TcpProxy } from '../../sandbox/tcp-proxy.ts'
import { readBlocks } from '../docs-pages.ts'
import type { User } from '../user.ts'
import { openWorld, type World } from '../world.ts'

/** A browser on a busy machine takes its time. */
const poll = <T>(read: () => T) => expect.poll(read, { timeout: 60_000 })

describe('in a real browser', () => {
  let world: World
  let proxy: TcpProxy
  let browser: Browser
  let other: Awaited<ReturnType<typeof openEmptySite>>
  let origin: string
  beforeAll(async () => {
    const port = await findFreePort()
    proxy = await openTcpProxy({ port })
    origin = `http://localhost:${proxy.port}`
    other = await openEmptySite()
    world = await openWorld({ env: { PORT: String(port), PUBLIC_URL: origin } })
    browser = await openChromium()
  })
  afterEach(async () => {
    for (const context of browser.contexts()) await context.close()
    await world.expectNoLeaks()
  })
  afterAll(async () => {
    await browser?.close()
    await world?.close()
    await Promise.all([proxy?.close(), other?.close()])
  })

  /** A page of the gateway's origin, of a signed-in user. */
  async function openPage(user: User): Promise<Page> {
    const page = await (await browser.newContext()).newPage()
    await page.goto(`${origin}/docs/`)
    const status = await page.evaluate(async (token) => {
      const headers = { authorization: `Bearer ${token}` }
      return (await fetch('/api/v1/session', { method: 'POST', headers })).status
    }, user.token)
    expect(status).toBe(204)
    await page.evaluate(() => Object.assign(globalThis, { shown: [], ends: [] }))
    return page
  }

  // biome-ignore lint/suspicious/noExplicitAny: what the page has collected
  const read = (page: Page, name: 'shown' | 'ends'): Promise<any[]> =>
    page.evaluate((key) => (globalThis as never)[key], name)

  /** Opens a WebSocket that collects its messages and its end. */
  const openSocket = (page: Page, path: string) =>
    page.evaluate(
      (url) => {
        const { shown, ends } = globalThis as unknown as { shown: unknown[]; ends: unknown[] }
        const socket = new WebSocket(url)
        Object.assign(globalThis, { socket })
        socket.onmessage = ({ data }) => shown.push(JSON.parse(data))
        socket.onclose = ({ code, reason, wasClean }) => ends.push({ code, reason, wasClean })
      },
      `${origin.replace('http', 'ws')}/api/v1/realtime${path}`,
    )

  const openSource = (page: Page, path: string) =>
    page.evaluate((url) => {
      const { shown, ends } = globalThis as unknown as { shown: unknown[]; ends: unknown[] }
      const source = new EventSource(url, { withCredentials: true })
      source.onmessage = ({ data, lastEventId }) => shown.push({ ...JSON.parse(data), lastEventId })
      source.onerror = () => ends.push(source.readyState)
    }, `${origin}/api/v1/realtime${path}`)

  const refusals = () =>
    (world.gateways[0]?.logs ?? [])
      .map((line) => JSON.parse(line))
      .filter(({ msg, status }) => msg === 'request' && status === 403)
      .map(({ path }) => path)

  test('the documented example follows a run with the session cookie, until it is deleted', async () => {
    const user = await world.createUser()
    world.presenton.gates.hold('slides:slide')
    const { id } = await user.submit()
    const page = await openPage(user)
    const example = readBlocks('docs/events.md').find(
      ({ section, language }) => section === 'Real-time connections' && language === 'js',
    )
    // As a script: the policy of the page forbids `eval`.
    await page.evaluate(`{
      const id = '${id}'
      const showProgress = (data) => globalThis.shown.push(data)
      const showEnd = (...end) => globalThis.ends.push(end)
      ${example?.code}
    }`)
    await poll(() => read(page, 'shown')).not.toEqual([])
    world.presenton.gates.releaseAll()
    await poll(async () => (await read(page, 'shown')).at(-1)).toMatchObject({
      status: 'completed',
      progress: 1,
    })
    await user.api(`/presentations/${id}`, { method: 'DELETE' })
    await poll(() => read(page, 'ends')).toEqual([[4404, '']])
  })

  test('a page of another origin of the same site is refused, with its cookie', async () => {
    const user = await world.createUser()
    const { id } = await user.generate()
    const page = await openPage(user)
    await page.goto(other.origin)
    await page.evaluate(() => Object.assign(globalThis, { shown: [], ends: [] }))
    const paths = [`/generation/${id}`, '/notifications']
    for (const [index, path] of paths.entries()) {
      await openSocket(page, path)
      await poll(async () => (await read(page, 'ends')).length).toBe(index + 1)
    }
    for (const path of paths) await openSource(page, `/sse${path}`)
    await poll(async () => (await read(page, 'ends')).length).toBe(4)
    expect(await read(page, 'shown')).toEqual([])
    const closed = { code: 1006, reason: '', wasClean: false }
    // A source that is closed does not reconnect.
    expect(await read(page, 'ends')).toEqual([closed, closed, 2, 2])
    // 403, not 401: the browser did send the cookie.
    const prefix = '/api/v1/realtime'
    expect(refusals()).toEqual([
      ...paths.map((path) => prefix + path),
      ...paths.map((path) => `${prefix}/sse${path}`),
    ])
  })

  test('a ticket opens one connection from any page', async () => {
    const user = await world.createUser()
    const { id } = await user.generate()
    const page = await (await browser.newContext()).newPage()
    await page.goto(other.origin)
    await page.evaluate(() => Object.assign(globalThis, { shown: [], ends: [] }))
    const { ticket } = (await user.api('/realtime/ticket', { method: 'POST' })).body
    const path = `/generation/${id}?ticket=${ticket}`
    await openSocket(page, path)
    await poll(async () => (await read(page, 'shown')).length).toBe(2)
    await openSocket(page, path)
    await poll(() => read(page, 'ends')).toMatchObject([{ code: 1006 }])
    expect(await read(page, 'shown')).toMatchObject([
      { type: 'connected', user_id: user.sub },
      { type: 'job_progress', data: { status: 'completed' } },
    ])
  })

  test('EventSource follows a run to its end, and stops by itself', async () => {
    const user = await world.createUser()
    world.presenton.gates.hold('slides:slide')
    const { id } = await user.submit()
    const page = await openPage(user)
    await openSource(page, `/sse/generation/${id}`)
    await poll(async () => (await read(page, 'shown')).length).toBeGreaterThan(1)
    world.presenton.gates.releaseAll()
    // 0: it reconnects with its last id; 2: the 204 has closed it.
    await poll(() => read(page, 'ends')).toEqual([0, 2])
    const shown = await read(page, 'shown')
    expect(shown[0]).toMatchObject({ type: 'connected', job_id: id })
    expect(shown.at(-1)).toMatchObject({ type: 'job_progress', data: { status: 'completed' } })
    expect(shown.map(({ lastEventId }) => Number(lastEventId))).toEqual(
      shown.map((_, index) => index + 1),
    )
  })

  test('EventSource resumes notifications by itself, and a WebSocket with the last cursor', async () => {
    const user = await world.createUser()
    const page = await openPage(user)
    await openSource(page, '/sse/notifications')
    const ids = async () =>
      (await read(page, 'shown'))
        .filter(({ type }) => type === 'notification')
        .map(({ data }) => data.presentation_id)
    const made = [(await user.generate()).id]
    await poll(ids).toEqual(made)
    proxy.cut()
    made.push((await user.generate()).id)
    await poll(ids).toEqual(made)
    const { cursor, lastEventId } = (await read(page, 'shown')).findLast(
      ({ type }) => type === 'notification',
    )
    expect(lastEventId).toBe(cursor)

    await page.reload()
    await page.evaluate(() => Object.assign(globalThis, { shown: [], ends: [] }))
    const missed = [(await user.generate()).id, (await user.generate()).id]
    await openSocket(page, `/notifications?last_event_id=${cursor}`)
    await poll(ids).toEqual(missed)
    await page.evaluate(() =>
      (globalThis as unknown as { socket: WebSocket }).socket.send('{"type":"ping"}'),
    )
    await poll(async () => (await read(page, 'shown')).at(-1)).toMatchObject({ type: 'pong' })
    expect(await ids()).toEqual(missed)
  })
})
