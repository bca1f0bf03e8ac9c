// Attacks on the slide maker, driven by its table where they can be: ids in odd spellings, doubled
// and in odd places, links that would send the interface elsewhere, paths, and headers in texts.

import { request as httpRequest } from 'node:http'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type MakerBrowser, navigation, signInToMaker } from '../../journeys/maker-browser.ts'
import { upstreamDuring } from '../files/test-world.ts'
import { openPaidWorld, type PaidWorld } from '../paid/test-world.ts'
import { table } from './table.ts'
import { createOwned, isUnsafe, named, type Owned, requestOf } from './test-requests.ts'

let world: PaidWorld['world']
let close: PaidWorld['close']
let owner: MakerBrowser
let other: MakerBrowser
let owned: Owned
beforeAll(async () => {
  ;({ world, close } = await openPaidWorld({ MAKER_RATE_PER_MINUTE: '100000' }))
  const [alice, bob] = [await world.createUser('alice'), await world.createUser('bob')]
  owner = await signInToMaker(alice, makerUrl)
  other = await signInToMaker(bob, makerUrl)
  owned = await createOwned(alice, owner)
}, 120_000)
afterAll(() => close())

const makerUrl = () => world.gateways[0]?.makerUrl ?? ''

/** The very path, which `fetch` would tidy up. */
async function sendRaw(path: string, headers: Record<string, string> = navigation) {
  const cookie = [...owner.cookies].map((pair) => pair.join('=')).join('; ')
  return new Promise<{ status: number; headers: string; text: string }>((resolve, reject) => {
    const { hostname, port } = new URL(makerUrl())
    const sent = httpRequest({ hostname, port, path, headers: { ...headers, cookie } }, (got) => {
      let text = ''
      got.setEncoding('utf8').on('data', (data) => {
        text += data
      })
      got.once('end', () =>
        resolve({ status: got.statusCode ?? 0, headers: got.rawHeaders.join('\n'), text }),
      )
    })
    sent.once('error', reject).end()
  })
}

const rows = table.map((row) => [named(row), row] as const)
const ids = /[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}/g

/** The request of a row with each id of a deck in another spelling. */
async function spelt(row: (typeof table)[number], spell: (id: string) => unknown) {
  const { target, request } = await requestOf(row, owned)
  const decks = new Set([owned.deckId, owned.copyId, owned.draftId, owned.otherDraftId])
  const inUrl = (id: string) => (decks.has(id) ? encodeURIComponent(String(spell(id))) : id)
  const inJson = (_: string, value: unknown) =>
    typeof value === 'string' && decks.has(value) ? spell(value) : value
  const { body } = request
  return {
    target: target.replaceAll(ids, inUrl),
    request: { ...request, ...(body && { body: JSON.parse(JSON.stringify(body, inJson)) }) },
  }
}

// deck-ids.test.ts has all of them.
const spellings: ((id: string) => string)[] = [
  (id) => id,
  (id) => `urn:uuid:{${id.replaceAll('-', '').toUpperCase()}}`,
]
const noIds: ((id: string) => unknown)[] = [
  (id) => `${id}\r\nX-Planted: 1`,
  (id) => `../presentation/${id}`,
  () => '',
]

describe.each(rows.filter(([, { ids: places }]) => places))('%s', (_, row) => {
  test('is 404 to another user in every spelling, and to the owner for what is not an id', async () => {
    const upstream = await upstreamDuring(world, async () => {
      for (const spell of spellings) {
        const { target, request } = await spelt(row, spell)
        expect((await other.fetch(target, request)).status, target).toBe(404)
      }
      for (const spell of noIds) {
        const { target, request } = await spelt(row, spell)
        const { status } = await owner.fetch(target, request)
        const isElsewhere = row.ids?.includes('path.id') && spell('') === ''
        expect(isElsewhere ? [404, 405] : [404], `${target} ${request.body}`).toContain(status)
      }
    })
    expect(upstream).toEqual([])
  })

  if (!isUnsafe(row))
    test('the owner is led home in every spelling', async () => {
      for (const spell of spellings) {
        const { target, request } = await spelt(row, spell)
        const response = await owner.fetch(target, request)
        expect(response.status, target).toBe(200)
        await response.body?.cancel()
      }
    })

  if (row.body)
    test('ids that are no texts, doubled members and prototypes reach no deck', async () => {
      const before = JSON.stringify([...world.presenton.decks])
      const upper = owned.deckId.toUpperCase()
      const upstream = await upstreamDuring(world, async () => {
        for (const value of [null, 1, true, [upper], { id: upper }, []]) {
          const { target, request } = await spelt(row, () => value)
          if (row.ids?.some((place) => place.startsWith('body.')))
            expect((await other.fetch(target, request)).status).toBe(404)
        }
        const { target, request } = await requestOf(row, owned)
        const member = JSON.stringify(request.body)
        for (const body of [
          // The last of two members counts, for the check and for what goes upstream.
          `{${doubled(member, crypto.randomUUID())}}`,
          `{"__proto__":${member}}`,
          `{"constructor":{"prototype":${member}}}`,
          `[${member}]`,
          `"${owned.deckId}"`,
          member.replaceAll(':"', ':"\\u0000'),
          `${member}${member}`,
        ]) {
          for (const type of ['application/json', 'text/plain;charset=UTF-8']) {
            const headers = { 'content-type': type }
            const { status } = await other.fetch(target, { ...request, body, headers })
            expect([400, 404], body).toContain(status)
          }
        }
        for (const type of ['application/xml', 'application/x-www-form-urlencoded', 'text/html']) {
          const headers = { 'content-type': type }
          const { status } = await owner.fetch(target, { ...request, body: member, headers })
          expect(status, type).toBe(415)
        }
      })
      expect(upstream).toEqual([])
      expect(JSON.stringify([...world.presenton.decks])).toBe(before)
    })
})

/** Members of a JSON object, first with an id that is unknown and then with the owner's. */
function doubled(object: string, id: string): string {
  const members = object.slice(1, -1)
  return `${members.replaceAll(ids, id)},${members}`
}

describe.each(rows.filter(([, { method }]) => method === 'GET'))('%s', (_, row) => {
  test('takes no address of an API and no session from a link, and no header from a text', async () => {
    const { target } = await requestOf(row, owned)
    const sign = target.includes('?') ? '&' : '?'
    const texts: string[] = []
    const upstream = await world.requestsDuring(async () => {
      for (const planted of [
        'fastapiUrl=https://evil.example',
        'exportSession=planted',
        'FASTAPIURL=//evil.example&x=1',
        'fastapi%55rl=https://evil.example&exportsession=planted',
        'x=1%0d%0aSet-Cookie:%20planted=1%0d%0a%0d%0aplanted',
      ]) {
        const { status, headers } = await owner.open(`${target}${sign}${planted}`)
        expect(status, planted).not.toBe(500)
        expect([...headers.keys()], planted).not.toContain('set-cookie')
        const location = headers.get('location') ?? ''
        if (!planted.startsWith('x=')) texts.push(location)
        else expect(location).not.toMatch(/[\r\n]|planted=1(?:\r|\n|$)/)
      }
    })
    expect(texts.join()).not.toMatch(/evil\.example|planted/)
    for (const { path } of upstream) expect(path).not.toMatch(/fastapiurl|exportsession|evil/i)
  })
})

test('paths with dot segments, second separators and hosts lead nowhere', async () => {
  const upstream = await upstreamDuring(world, async () => {
    for (const path of [
      ...['/static/../api/v1/admin/users', '/static/./../api/user-config', '/static/..'],
      ...['/static/%2e%2e/api/user-config', '/static/%2E%2E%2Fapi/user-config', '/static/..%2fapi'],
      ...['/static/%252e%252e/%2e%2e/api', '/static/..%5capi', '/static/..\\api', '/static/%00'],
      ...['/static//etc/passwd', '/static../etc/passwd', '/static/a%0d%0ab'],
      ...['/app_data/images/../exports/x.pptx', '/app_data/images/%2e%2e/exports/x.pptx'],
      ...[
        '/app_data/images/x%2f..%2f..%2fexports/x.pptx',
        '/app_data/templates/..%2fuserConfig.json',
      ],
      ...['/app_data/userConfig.json', '/app_data/exports/x.pptx', '/app_data/uploads/x.txt'],
      ...['/_next/static/../image?url=/x.png', '/_next/static/%2e%2e/data', '/_next/data/x.json'],
      ...['/api/v1/ppt/template/..%2fpresentation%2fall', '/api/v1/ppt/template/%2e%2e'],
      ...['/open/../settings', '/open/%2e%2e%2fsettings', '//evil.example/dashboard'],
      ...['/dashboard/', '/dashboard/..', '/dashboard;x', '/DASHBOARD', '/%64ashboard/x'],
      ...['/providers/..%2fapi.png', '/api/x.png', '/app_data/x.png', '/_next/x.png', '/.env'],
    ])
      expect((await sendRaw(path)).status, path).toBe(404)
  })
  expect(upstream).toEqual([])
})

test('images are resized from public files alone', async () => {
  const upstream = await upstreamDuring(world, async () => {
    for (const url of [
      ...['/app_data/images/x.png', '/api/x.png', '/_next/image?url=/x.png', 'x.png', ''],
      ...['https://evil.example/x.png', '//evil.example/x.png', '/\\evil.example/x.png'],
      ...['/static/../app_data/x.png', '/static/%2e%2e/x.png', '/static//x.png', '/static/x.png?y'],
      ...[
        '/static/x.png#y',
        '/static/x.png\r\nX: y',
        '/static/x',
        '/static/x.php',
        '/APP_DATA/../x.png',
      ],
      ...[
        'http://169.254.169.254/x.png',
        'data:image/png;base64,AA',
        '/static/x.png\0',
        owned.picture,
      ],
    ])
      for (const row of ['/_next/image?w=64&q=75&', '/api/update-svg?']) {
        const target = `${row}url=${encodeURIComponent(url)}`
        expect((await owner.fetch(target)).status, target).toBe(404)
      }
    const twice = '/_next/image?w=64&q=75&url=/logo.png&url=/app_data/images/x.png'
    expect((await owner.fetch(twice)).status).toBe(400)
    expect((await owner.fetch('/_next/image?w=64&q=75&url[]=/app_data/x.png')).status).toBe(404)
  })
  expect(upstream).toEqual([])
})
