// What the slide maker adds to a save of the editor, how long the list of many decks takes, and
// what five tabs cost upstream. Peer of a save: a bare proxy, with the session of the same account.
import { createServer } from 'node:net'
import { accountOfUser, passwordOf } from '../presenton/account.ts'
import { openStandIn } from '../sandbox/presenton/stand-in.ts'
import { type Benchmark, count, createResult, ms, percentile } from './benchmark.ts'
import { scriptArguments, startProgram } from './programs.ts'

const ppt = '/api/v1/ppt/presentation'
const userId = 'bench'
const credentials = { username: 'admin', password: 'password of the administrator' }
const secret = 'a secret for the accounts of users'
const deckCount = 2_000
const tabs = 5

type Row = Record<string, unknown>

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

const timed = async (act: () => Promise<unknown>) => {
  const startedMs = performance.now()
  await act()
  return performance.now() - startedMs
}

/** A session at `url`, as a page of that origin uses it. */
function createSession(url: string, cookie: string) {
  return async (path: string, method = 'GET', body?: object): Promise<Response> => {
    const response = await fetch(`${url}${path}`, {
      method,
      headers: { cookie, origin: url, ...(body && { 'content-type': 'application/json' }) },
      ...(body && { body: JSON.stringify(body) }),
    })
    if (!response.ok)
      throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`)
    return response
  }
}

const cookieOf = (response: Response) =>
  response.headers
    .getSetCookie()
    .map((line) => line.split(';')[0])
    .join('; ')

export const maker: Benchmark = {
  name: 'maker',
  async run(environment, { isQuick }) {
    const upstream = await openStandIn({ shape: 'B1', credentials })
    const port = await freePort()
    const gateway = await environment.startGateway({
      database: 'maker',
      env: {
        PRESENTON_URL: upstream.url,
        PRESENTON_ACCOUNTS: 'per-user',
        PRESENTON_USERNAME: credentials.username,
        PRESENTON_PASSWORD: credentials.password,
        PRESENTON_ACCOUNT_SECRET: secret,
        MAKER_PORT: String(port),
        MAKER_RATE_PER_MINUTE: '1000000',
      },
    })
    const peers = await startProgram({
      args: scriptArguments('./peers.ts'),
      env: { UPSTREAM: upstream.url, DATABASE_URL: await environment.openDatabase('maker') },
    })
    const api = async (path: string, body?: object): Promise<Row> => {
      const response = await fetch(`${gateway.url}/api/v1${path}`, {
        method: body ? 'POST' : 'GET',
        headers: {
          authorization: `Bearer ${await environment.token(userId)}`,
          ...(body && { 'content-type': 'application/json' }),
        },
        ...(body && { body: JSON.stringify(body) }),
      })
      if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`)
      return (await response.json()) as Row
    }

    async function openSessions() {
      const { url } = (await api('/maker', {})) as { url: string }
      const entered = await fetch(url, {
        redirect: 'manual',
        headers: { accept: 'text/html', 'sec-fetch-dest': 'document' },
      })
      const account = accountOfUser(userId)
      const login = await fetch(`${peers.url}/api/v1/auth/login`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ username: account.name, password: passwordOf(account, secret) }),
      })
      return {
        own: createSession(`http://localhost:${port}`, cookieOf(entered)),
        peer: createSession(peers.url, cookieOf(login)),
      }
    }

    /** Rows and upstream's decks, as after years of use. */
    async function addDecks(id: string, deckId: string): Promise<void> {
      const client = await environment.connect('maker')
      const { rows } = await client.query<{ deck: string }>(
        `insert into gateway.presentations
         select (jsonb_populate_record(p, jsonb_build_object('id', gen_random_uuid(),
           'presenton_presentation_id', gen_random_uuid(),
           'created_at', p.created_at - n * interval '1 hour'))).*
         from gateway.presentations p, generate_series(2, $2::int) n where p.id = $1
         returning presenton_presentation_id as deck`,
        [id, deckCount],
      )
      await client.query('vacuum analyze gateway.presentations')
      await client.end()
      const deck = upstream.decks.get(deckId)
      if (!deck) throw new Error('the deck is missing upstream')
      const decks = upstream.decks as Map<string, typeof deck>
      for (const { deck: copy } of rows) decks.set(copy, { ...deck, id: copy })
    }

    try {
      const brief = { content: 'The bridge is repaired in May.', n_slides: 8 }
      const { id } = (await api('/presentations', brief)) as { id: string }
      const made = await api(`/presentations/${id}?wait=30`)
      const deckId = String(made['presenton_presentation_id'])
      const { own, peer } = await openSessions()
      const shown = (await (await own(`${ppt}/${deckId}`)).json()) as { slides: Row[] }

      const save = (session: typeof own, n: number) =>
        session(`${ppt}/slide_update`, 'PATCH', {
          slide: { ...shown.slides[0], speaker_note: `Note ${n}` },
        }).then((response) => response.json())
      const saves = { own: [] as number[], peer: [] as number[] }
      const rounds = isQuick ? 50 : 500
      for (let n = 0; n < rounds / 2; n += 1) {
        await save(peer, n)
        await save(own, -n)
      }
      for (let n = 0; n < rounds; n += 1) {
        saves.peer.push(await timed(() => save(peer, n)))
        saves.own.push(await timed(() => save(own, n + rounds)))
      }

      await addDecks(id, deckId)
      const list = async () =>
        (await (await own(`${ppt}/all?version=v2-standard`)).json()) as { slides: Row[] }[]
      for (let n = 0; n < 5; n += 1) await list()
      const drawn = (await list()).filter(({ slides }) => slides.length === 1).length
      const lists: number[] = []
      for (let n = 0; n < (isQuick ? 5 : 50); n += 1) lists.push(await timed(list))

      const before = upstream.spend.outlines
      const body = { ...brief, version: 'v2-standard', language: 'English' }
      const created = (await (await own(`${ppt}/create`, 'POST', body)).json()) as { id: string }
      const stream = async () => (await own(`/api/v1/ppt/outlines/stream/${created.id}`)).text()
      const texts = await Promise.all(Array.from({ length: tabs }, stream))
      const whole = texts.filter((text) => text.includes('"type":"complete"')).length
      if (whole !== tabs || drawn !== 100) throw new Error(`${whole} streams, ${drawn} images`)

      const p50 = { own: percentile(saves.own, 0.5), peer: percentile(saves.peer, 0.5) }
      return [
        createResult({
          measure: 'save of a slide in the editor, p50',
          ...{ ...p50, peerName: 'http-proxy', format: ms, target: '–' },
        }),
        createResult({
          measure: 'added to a save, p50',
          ...{ own: p50.own - p50.peer, format: ms, target: '≤ 5 ms', atMost: 5 },
        }),
        createResult({
          measure: `list of ${deckCount.toLocaleString('en')} decks, warm, p95`,
          ...{ own: percentile(lists, 0.95), format: ms, target: '< 500 ms', atMost: 500 },
        }),
        createResult({
          measure: `outline streams of Presenton for ${tabs} tabs`,
          ...{ own: upstream.spend.outlines - before, format: count },
          ...{ target: '1', atMost: 1 },
        }),
      ]
    } finally {
      await peers.stop()
      await gateway.stop()
      await upstream.close()
    }
  },
}
