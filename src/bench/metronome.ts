// An upstream whose slides stream beats at a known time: everything but that stream is the stand-in's, and each slide of it carries the
// moment at which it was written, so that whoever reads it in this process knows how long it was under way.
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface MetronomeOptions {
  /** The stand-in that answers all else. */
  upstream: string
  beats: number
  everyMs: number
}

const streamPath = /^\/api\/v1\/ppt\/presentation\/stream\//

export async function openMetronome({ upstream, beats, everyMs }: MetronomeOptions) {
  const server = createServer((incoming, answer) => {
    if (streamPath.test(incoming.url ?? '')) {
      void beat(answer)
      return
    }
    const passed = request(
      new URL(incoming.url ?? '/', upstream),
      { method: incoming.method, headers: incoming.headers },
      (response) => {
        answer.writeHead(response.statusCode ?? 502, response.headers)
        response.pipe(answer)
      },
    )
    passed.on('error', () => answer.destroy())
    incoming.pipe(passed)
  })

  async function beat(answer: import('node:http').ServerResponse) {
    answer.writeHead(200, { 'content-type': 'text/event-stream' })
    const chunk = (text: string) => answer.write(`event: response\ndata: ${JSON.stringify({ type: 'chunk', chunk: text })}\n\n`)
    chunk('{ "slides": [ ')
    for (let n = 0; n < beats && !answer.destroyed; n += 1) {
      await new Promise((resolve) => setTimeout(resolve, everyMs))
      chunk(JSON.stringify({ index: n, sentAtMs: performance.now() }))
    }
    // The deck is never finished: what follows the stream is not measured here.
    answer.write(`event: response\ndata: {"type": "error", "detail": "the metronome stops"}\n\n`)
    answer.end()
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** The delays of the beats in an event stream, in ms, as they are read; ends with the stream. */
export async function readBeats(response: Response, onBeat: (delayMs: number) => void, enough: () => boolean): Promise<void> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const bytes of response.body ?? []) {
    const now = performance.now()
    rest += decoder.decode(bytes as Uint8Array, { stream: true })
    for (let end = rest.indexOf('\n\n'); end !== -1; end = rest.indexOf('\n\n')) {
      const sent = /sentAtMs\\":([\d.]+)/.exec(rest.slice(0, end))
      if (sent) onBeat(now - Number(sent[1]))
      rest = rest.slice(end + 2)
    }
    if (enough()) return
  }
}
