// From the request of `POST /presentations` to its 202, 500 a second offered: row, lease, first
// event and quota in one transaction. The queue is kept short meanwhile, as its default bound of
// 200 would. Peer: a bare Fastify route with one INSERT, at the same rate. Target: p95 ≤ 2 × the
// bare route, and < 20 ms.
import { judge, type Measure, ms, percentile } from './measure.ts'
import { offer } from './offered.ts'

const body = JSON.stringify({
  content: 'The bridge is repaired in May. The ferry runs until then.',
  n_slides: 2,
})

export const accept: Measure = {
  name: 'accept',
  async run(ground, { isQuick }) {
    const database = 'intake'
    // What is taken in here is not worked on: else the work would be measured with the taking in.
    const gateway = await ground.startGateway({ database, env: { WORKER: 'false' } })
    const peers = await ground.peers()
    const client = await ground.connect(database)
    const draining = setInterval(() => {
      void client.query(
        `update gateway.presentations set status = 'completed', ended_at = now() where status = 'queued'`,
      )
    }, 200)
    const headers = { authorization: `Bearer ${await ground.token()}` }
    const perSecond = isQuick ? 50 : 500
    const own: number[] = []
    const peer: number[] = []
    try {
      const post = (count: number) =>
        offer({ url: `${gateway.url}/api/v1/presentations`, headers, body, perSecond, count })
      const postBare = (count: number) =>
        offer({ url: `${peers.url}/bare`, body, perSecond, count })
      // Both warm up: what a process compiles in its first seconds is not what a request costs.
      for (const warmUp of [post, postBare]) await warmUp(isQuick ? 20 : perSecond * 2)
      for (let round = 0; round < (isQuick ? 1 : 3); round += 1) {
        peer.push(...(await postBare(isQuick ? perSecond : perSecond * 3)))
        own.push(...(await post(isQuick ? perSecond : perSecond * 3)))
      }
    } finally {
      clearInterval(draining)
      await client.end()
      await gateway.end()
    }
    const name = `POST /presentations to 202, ${perSecond}/s`
    const shared = { peerName: 'one INSERT', unit: ms }
    const p95 = { own: percentile(own, 0.95), peer: percentile(peer, 0.95) }
    const limit = Math.min(20, 2 * p95.peer)
    return [
      judge({
        ...shared,
        measure: `${name}, p50`,
        own: percentile(own, 0.5),
        peer: percentile(peer, 0.5),
        target: '–',
      }),
      judge({
        ...shared,
        ...p95,
        measure: `${name}, p95`,
        target: '≤ 2 ×, < 20 ms',
        atMost: limit,
      }),
    ]
  },
}
