// Response time of `POST /presentations` at 500 requests a second: row, lease, first event and
// quota in one transaction. The queue stays short, as under its default limit of 200. Peer: a bare
// Fastify route with one INSERT, at the same rate. Target: p95 ≤ 2 × the peer, and < 20 ms.
import { type Benchmark, createResult, ms, percentile } from './benchmark.ts'
import { sendAtFixedRate } from './fixed-rate.ts'
import { emptyQueueRegularly } from './queue.ts'

const body = JSON.stringify({
  content: 'The bridge is repaired in May. The ferry runs until then.',
  n_slides: 2,
})

export const accept: Benchmark = {
  name: 'accept',
  async run(environment, { isQuick }) {
    const database = 'intake'
    // Without a worker, so that only accepting is measured.
    const gateway = await environment.startGateway({ database, env: { WORKER: 'false' } })
    const peers = await environment.openSharedPeers()
    const queue = emptyQueueRegularly(await environment.connect(database))
    const headers = { authorization: `Bearer ${await environment.token()}` }
    const perSecond = isQuick ? 50 : 500
    const own: number[] = []
    const peer: number[] = []
    try {
      const post = (count: number) =>
        sendAtFixedRate({
          url: `${gateway.url}/api/v1/presentations`,
          headers,
          body,
          perSecond,
          count,
        })
      const postToPeer = (count: number) =>
        sendAtFixedRate({ url: `${peers.url}/bare`, body, perSecond, count })
      // Warm up both, since a process compiles its code in the first seconds.
      for (const warmUp of [post, postToPeer]) await warmUp(isQuick ? 20 : perSecond * 2)
      for (let round = 0; round < (isQuick ? 1 : 3); round += 1) {
        peer.push(...(await postToPeer(isQuick ? perSecond : perSecond * 3)))
        own.push(...(await post(isQuick ? perSecond : perSecond * 3)))
      }
    } finally {
      await queue.stop()
      await gateway.stop()
    }
    const label = `POST /presentations to 202, ${perSecond}/s`
    const shared = { peerName: 'one INSERT', format: ms }
    const peerP95 = percentile(peer, 0.95)
    return [
      createResult({
        ...shared,
        measure: `${label}, p50`,
        own: percentile(own, 0.5),
        peer: percentile(peer, 0.5),
        target: '–',
      }),
      createResult({
        ...shared,
        measure: `${label}, p95`,
        own: percentile(own, 0.95),
        peer: peerP95,
        target: '≤ 2 ×, < 20 ms',
        atMost: Math.min(20, 2 * peerP95),
      }),
    ]
  },
}
