// The stand-in until the end of a test, and its slides stream read to its end.

import { onTestFinished } from 'vitest'
import { openStandIn, type StandInOptions } from '../stand-in.ts'
import { createTestClient, messagesOf } from '../test-client.ts'

export async function openFaulty(options: StandInOptions = {}) {
  const presenton = await openStandIn(options)
  onTestFinished(() => presenton.close())
  return { presenton, client: createTestClient(presenton) }
}

export type Faulty = Awaited<ReturnType<typeof openFaulty>>
export const typesOf = (stream: string) => messagesOf(stream).map(({ type }) => type)

/** The text of the slides stream until its end, and how it ended. */
export async function readSlides({ client }: Faulty, id: string) {
  const response = await client.call('GET', `presentation/stream/${id}`)
  const parts: Uint8Array[] = []
  try {
    for await (const part of response.body ?? []) parts.push(part)
    return { text: Buffer.concat(parts).toString(), ended: 'complete' }
  } catch {
    return { text: Buffer.concat(parts).toString(), ended: 'cut' }
  }
}
