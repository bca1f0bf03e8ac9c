// What the gateway adds to a change of one slide: its lock, the intent, the digests and the
// revision. Peer: the three calls that Presenton has to answer for it, made directly and one after
// the other.
import { openStandIn } from '../sandbox/presenton/stand-in.ts'
import { type Benchmark, createResult, ms, percentile } from './benchmark.ts'

const api = '/api/v1/ppt/presentation'

export const slideChange: Benchmark = {
  name: 'slide-change',
  async run(environment, { isQuick }) {
    const upstream = await openStandIn({ shape: 'B1' })
    const gateway = await environment.startGateway({
      database: 'slides',
      env: { PRESENTON_URL: upstream.url },
    })
    const headers = {
      authorization: `Bearer ${await environment.token()}`,
      'content-type': 'application/json',
    }
    async function call(url: string, method = 'GET', body?: object): Promise<unknown> {
      const response = await fetch(url, {
        method,
        headers,
        ...(body && { body: JSON.stringify(body) }),
      })
      if (!response.ok) throw new Error(`${method} ${url}: ${response.status}`)
      return response.json()
    }
    const timed = async (act: () => Promise<unknown>) => {
      const startedMs = performance.now()
      await act()
      return performance.now() - startedMs
    }
    const own: number[] = []
    const peer: number[] = []
    try {
      const base = `${gateway.url}/api/v1/presentations`
      const brief = {
        content: 'The bridge is repaired in May. The ferry runs until then.',
        n_slides: 8,
      }
      const made = (await call(base, 'POST', brief)) as { id: string }
      const { presenton_presentation_id: deckId, status } = (await call(
        `${base}/${made.id}?wait=30`,
      )) as { presenton_presentation_id: string; status: string }
      if (status !== 'completed') throw new Error(`the deck is ${status}`)
      const deckUrl = `${upstream.url}${api}/${deckId}`
      const change = (n: number) =>
        call(`${base}/${made.id}/slides/0`, 'PATCH', { speaker_note: `Note ${n}` })
      async function changeDirectly(n: number) {
        const { slides } = (await call(deckUrl)) as { slides: object[] }
        const slide = { ...slides[0], speaker_note: `Note ${n}` }
        await call(`${upstream.url}${api}/slide_update`, 'PATCH', { slide })
        await call(deckUrl)
      }
      const rounds = isQuick ? 50 : 400
      for (let n = 0; n < rounds / 4; n += 1) await Promise.all([change(n), changeDirectly(-n)])
      for (let n = 0; n < rounds; n += 1) {
        peer.push(await timed(() => changeDirectly(n)))
        own.push(await timed(() => change(n + rounds)))
      }
    } finally {
      await gateway.stop()
      await upstream.close()
    }
    const p50 = { own: percentile(own, 0.5), peer: percentile(peer, 0.5) }
    return [
      createResult({
        measure: 'change of a slide, p50',
        ...p50,
        peerName: 'three calls of Presenton',
        format: ms,
        target: '–',
      }),
      createResult({
        measure: 'added to a change of a slide, p50',
        own: p50.own - p50.peer,
        format: ms,
        target: '≤ 20 ms',
        atMost: 20,
      }),
    ]
  },
}
