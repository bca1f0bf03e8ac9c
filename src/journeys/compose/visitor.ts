// What a user of the installation sees: decks through the published port, streams that last, files.

import { setTimeout as delay } from 'node:timers/promises'
import { openReader } from '../../sandbox/reader.ts'

const deadlineMs = 10 * 60_000

export type Visitor = ReturnType<typeof createVisitor>

export const brief = { content: 'The ferry runs until the bridge is repaired in May.', n_slides: 3 }

export function createVisitor({ url, token }: { url: string; token: string }) {
  const call = (path: string, init: RequestInit = {}) =>
    fetch(`${url}/api/v1${path}`, {
      ...init,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      signal: AbortSignal.timeout(70_000),
    })
  const post = () => call('/presentations', { method: 'POST', body: JSON.stringify(brief) })
  const openEvents = (id: string, lastEventId?: number) =>
    openReader(`${url}/api/v1/presentations/${id}/events`, { token, lastEventId })

  async function submit(): Promise<string> {
    const response = await post()
    const text = await response.text()
    if (response.status !== 202) throw new Error(`a brief got ${response.status}: ${text}`)
    return (JSON.parse(text) as { id: string }).id
  }

  /** Follows the events as a browser does, until the run has ended, and expects each event once. */
  async function follow(id: string): Promise<void> {
    const endMs = performance.now() + deadlineMs
    let count = 0
    let last = ''
    while (last !== 'complete') {
      const reader = await openEvents(id, count || undefined)
      if (reader.status !== 200) throw new Error(`a stream got ${reader.status}`)
      for (;;) {
        const event = await reader.next(endMs - performance.now())
        if (!event) break
        if (event.id === undefined) continue
        count += 1
        last = event.data.type
        if (event.id !== count) throw new Error(`event ${event.id} came instead of ${count}`)
        if (last === 'error') throw new Error(`the run failed: ${event.text}`)
      }
      if (last !== 'complete') await delay(reader.retry ?? 500)
    }
  }

  /** Waits for the end over any outage: what counts is that the deck is made. */
  async function waitForDeck(id: string): Promise<void> {
    const endMs = performance.now() + deadlineMs
    let seen = ''
    while (performance.now() < endMs) {
      const response = await call(`/presentations/${id}`).catch((error: Error) => error)
      if (response instanceof Response && response.status === 200) {
        const { status, error } = (await response.json()) as { status: string; error?: unknown }
        if (status === 'completed') return
        if (status === 'failed') throw new Error(`the run failed: ${JSON.stringify(error)}`)
        seen = status
      } else seen = response instanceof Response ? String(response.status) : response.message
      await delay(500)
    }
    throw new Error(`no deck in ten minutes, last seen: ${seen}`)
  }

  /** The file, over the link to the published port of the files. */
  async function download(id: string): Promise<Buffer> {
    const response = await call(`/presentations/${id}/download`)
    const bytes = Buffer.from(await response.arrayBuffer())
    if (response.status !== 200 || bytes.subarray(0, 2).toString() !== 'PK')
      throw new Error(`the file got ${response.status}, ${bytes.length} bytes`)
    return bytes
  }

  /** Reads a deck and submits others until the signal aborts, and returns what went wrong. */
  async function keepCalling(id: string, signal: AbortSignal) {
    const failures: string[] = []
    let right = 0
    async function repeat(what: string, expected: number, everyMs: number, work: typeof post) {
      while (!signal.aborted) {
        const seen = await work().then(
          async (response) => {
            await response.arrayBuffer()
            return response.status
          },
          (error: Error) => error.message,
        )
        if (seen === expected) right += 1
        else failures.push(`${what} ${seen}`)
        await delay(everyMs)
      }
    }
    await Promise.all([
      repeat('GET', 200, 50, () => call(`/presentations/${id}`)),
      repeat('POST', 202, 2000, post),
    ])
    return { right, failures }
  }

  return { submit, follow, waitForDeck, download, keepCalling, openEvents }
}
