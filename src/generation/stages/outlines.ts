// Stage outlines: the model writes one outline for each slide. Its raw text is forwarded as it
// comes; only the `complete` message counts.

import { Problem } from '../../domain/problem.ts'
import { parseCompletedOutlines } from '../../presenton/deck-responses.ts'
import type { Context } from '../context.ts'
import { forwardMessage } from '../forward-message.ts'
import { titleFrom } from '../title.ts'

export async function outlines(context: Context): Promise<void> {
  const { run, presenton, account, signal, logger } = context
  const { deckId } = run
  if (!deckId) throw new Error('Outlines need a deck.')
  for await (const messages of presenton.streamOutlines({ account, signal, deckId, logger })) {
    for (const message of messages) {
      if (message.type === 'complete') return finish(context, parseCompletedOutlines(message))
      if (message.type === 'chunk') {
        const chunk = String(message.value.chunk ?? '')
        if (chunk !== '') await context.append({ events: [context.outlineChunk(chunk)] })
      } else {
        await forwardMessage(context, message)
      }
    }
  }
  throw new Problem('UPSTREAM_ERROR', { failure: 'fault' })
}

async function finish(
  context: Context,
  given: { title: string | null; outlines: string[] },
): Promise<void> {
  const { outlines } = given
  const title = context.run.title ?? titleFrom(given.title, outlines)
  const events = [context.event('outlines', { outlines, title })]
  await context.checkpoint({ outlines, ...(title !== null && { title }) }, { events })
}
