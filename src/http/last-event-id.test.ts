import { afterEach, expect, test, vi } from 'vitest'
import { openTestServer, rowId, type TestServer } from '../app/test-server.ts'

let server: TestServer
afterEach(() => server.close())

const path = `/api/v1/presentations/${rowId}/events`

test('reads the last id as clients and polyfills send it; the newest one counts', async () => {
  const follow = vi.fn<(request: { lastEventId: number }) => Promise<undefined>>()
  server = await openTestServer({ features: { events: { follow } } })
  const cases: [query: string, header: string | undefined, expected: number][] = [
    ['', undefined, 0],
    ['', '7', 7],
    ['?last_event_id=7', undefined, 7],
    ['?lastEventId=7', undefined, 7],
    ['?lastEventID=7', undefined, 7],
    ['?Last-Event-ID=7', undefined, 7],
    ['?last-event-id=7', undefined, 7],
    ['?evs_last_event_id=7&evs_preamble=2056', undefined, 7],
    // The page's own parameter stays in the URL at every reconnect of a polyfill.
    ['?last_event_id=3&lastEventId=7', undefined, 7],
    ['?lastEventId=7&last_event_id=900', undefined, 7],
    ['?last_event_id=3&evs_last_event_id=7', undefined, 7],
    ['?last_event_id=3&lastEventId=', undefined, 3],
    ['?lastEventId=&last_event_id=', undefined, 0],
    ['?last_event_id=3&lastEventId=4', '7', 7],
    ['?last_event_id=3', '', 3],
    ['?lastEventId=007', undefined, 7],
    [`?lastEventId=${'9'.repeat(30)}`, undefined, Number.MAX_SAFE_INTEGER],
  ]
  for (const [query, header, expected] of cases) {
    const headers: Record<string, string> = header === undefined ? {} : { 'last-event-id': header }
    expect((await server.call(path + query, { headers })).status, query).toBe(204)
    expect(follow.mock.lastCall?.[0].lastEventId, query).toBe(expected)
  }
})

test('returns 400 for an id that is not a number, wherever it stands', async () => {
  server = await openTestServer()
  for (const query of [
    'last_event_id=x',
    'lastEventId=-1',
    'evs_last_event_id=1.5',
    'lastEventID=%00',
    'lastEventId=1&lastEventId=2',
    'evs_last_event_id=1&evs_last_event_id=2',
    'Last-Event-ID=1e3',
  ])
    expect((await server.call(`${path}?${query}`)).status, query).toBe(400)
  expect((await server.call(path, { headers: { 'last-event-id': 'x' } })).status).toBe(400)
})
