// Replays recorded runs of the real Presenton byte for byte. The gateway must produce the recorded
// deck.

import { readFileSync } from 'node:fs'
import { createParser } from 'eventsource-parser'
import { expect, test } from 'vitest'
import type { Recording } from '../sandbox/presenton/stand-in.ts'
import { readLog } from './event-log-rules.ts'
import { openWorld } from './world.ts'

interface Message {
  type: string
  chunk?: string
  presentation?: {
    id: string
    title: string
    slides: Record<string, unknown>[]
    outlines: { slides: { content: string }[] }
  }
}

/** The messages of a recorded stream, parsed by a standard SSE parser. */
function readRecording(recording: Recording, name: 'outlines' | 'slides'): Message[] {
  const messages: Message[] = []
  const parser = createParser({ onEvent: ({ data }) => messages.push(JSON.parse(data)) })
  parser.feed(
    readFileSync(
      new URL(`../sandbox/presenton/traces/${recording}/${name}.sse`, import.meta.url),
      'utf8',
    ),
  )
  return messages
}

const presentationOf = (messages: Message[]) =>
  messages.find(({ type }) => type === 'complete')!.presentation!
const textOf = (messages: { chunk?: string }[]) => messages.map(({ chunk }) => chunk ?? '').join('')

test.each<Recording>(['v0.7.3', 'v0.9.3'])(
  'the recorded run of %s produces the recorded deck',
  async (replay) => {
    const world = await openWorld({ replay })
    try {
      const [outlineMessages, slideMessages] = [
        readRecording(replay, 'outlines'),
        readRecording(replay, 'slides'),
      ]
      const [outlined, finished] = [presentationOf(outlineMessages), presentationOf(slideMessages)]
      const user = await world.createUser()
      const { id } = await user.submit({
        content: 'Quarterly review of the support team',
        n_slides: 3,
      })
      const log = readLog(await (await user.subscribe(id)).rest())

      expect(log.stages).toEqual(['create', 'outlines', 'prepare', 'slides', 'export', 'store'])
      expect(log.outlines?.outlines).toEqual(outlined.outlines.slides.map(({ content }) => content))
      expect(textOf(log.data.filter(({ type }) => type === 'outline_chunk'))).toBe(
        textOf(outlineMessages),
      )

      // The log has every recorded slide chunk, and adds the commas that upstream omits.
      const chunks = log.data.filter(({ type }) => type === 'chunk').map(({ chunk }) => chunk)
      expect(chunks.filter((chunk) => chunk !== ',')).toEqual(
        slideMessages.flatMap(({ chunk }) => (chunk === undefined ? [] : [chunk])),
      )
      expect(chunks.filter((chunk) => chunk === ',')).toHaveLength(2)
      expect(log.slides?.map(({ id: slide }) => slide)).toEqual(
        finished.slides.map(({ id: slide }) => slide),
      )
      const forwarded = log.data.filter(
        ({ stage, type }) => stage === 'slides' && type !== 'stage' && type !== 'chunk',
      )
      const others = slideMessages.filter(({ type }) => type !== 'chunk' && type !== 'complete')
      expect(forwarded).toEqual(others.map((message) => ({ ...message, run: 1, stage: 'slides' })))

      const done = await user.read(id)
      expect(log.terminal.presentation).toEqual({ ...finished, title: done.title })
      expect(done).toMatchObject({
        status: 'completed',
        slides_done: 3,
        presenton_presentation_id: finished.id,
      })
      expect(world.presenton.spend).toEqual({
        outlines: 1,
        prepares: 1,
        slideStreams: 1,
        exports: 1,
      })
      await world.expectNoLeaks()
    } finally {
      await world.close()
    }
  },
)
