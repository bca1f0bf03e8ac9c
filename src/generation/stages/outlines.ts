// Stage outlines: the model writes one outline for each slide. Its raw text is passed on as it
// comes; what counts is `complete`.
import type { RunEvent } from '../../database/run-log.ts'
import { Problem } from '../../domain/problem.ts'
import { parseCompletedOutlines } from '../../presenton/deck-responses.ts'
import type { Context } from '../context.ts'
import { forwardMessage } from '../forward-message.ts'
import { titleFrom } from '../title.ts'

export async function outlines(context: Context): Promise<void> {
  const { run, presenton, account, signal, logger } = context
  if (!run.deckId) throw new Error('Outlines need a deck.')
  for await (const messages of presenton.streamOutlines({
    account,
    signal,
    deckId: run.deckId,
    logger,
  })) {
    for (const message of messages) {
      if (message.type === 'complete') {
        await finish(context, parseCompletedOutlines(message))
        return
      }
      if (message.type === 'chunk')
        await context.append([outlineChunk(context, String(message.value.chunk ?? ''))])
      else await forwardMessage(context, message)
    }
  }
  throw new Problem('UPSTREAM_ERROR', { failure: 'fault' })
}

/** Neighbours that wait for the same commit become one event: a token each would be a row each. */
function outlineChunk(context: Context, chunk: string): RunEvent & { chunk: string } {
  return {
    ...context.event('outline_chunk', { chunk }),
    chunk,
    join: (next) =>
      'chunk' in next ? outlineChunk(context, chunk + String(next.chunk)) : undefined,
  }
}

async function finish(
  context: Context,
  { title, outlines }: { title: string | null; outlines: string[] },
): Promise<void> {
  const { run } = context
  run.outlines = outlines
  run.title ??= titleFrom(title, outlines)
  await context.commit([context.event('outlines', { outlines, title: run.title })], {
    outlines,
    ...(run.title === null ? {} : { title: run.title }),
  })
}
