// Stage outlines: the model writes one outline for each slide. Its raw text is forwarded as it
// comes; only the `complete` message counts.

import { readRunSources } from '../../database/sources.ts'
import { Problem } from '../../domain/problem.ts'
import { parseCompletedOutlines } from '../../presenton/deck-responses.ts'
import type { Checkpoint, Context } from '../context.ts'
import { forwardMessage } from '../forward-message.ts'
import { titleFrom } from '../title.ts'

export async function outlines(context: Context): Promise<void> {
  try {
    await streamOutlines(context)
  } catch (error) {
    throw await asLostUploads(context, error)
  }
}

/**
 * Upstream's temporary files do not survive its restart. Early versions then end the stream without
 * a word, so any fault that is not the model's leads to fresh uploads: they cost nothing.
 */
async function asLostUploads({ run, database }: Context, error: unknown): Promise<unknown> {
  if (!(error instanceof Problem) || error.code !== 'UPSTREAM_ERROR') return error
  if (error.failure !== 'fault' || error.modelFailure !== undefined) return error
  const isMadeFromSources = (await readRunSources(database, run.id)).length > 0
  return isMadeFromSources ? new Problem(error.code, { failure: 'gone', cause: error }) : error
}

async function streamOutlines(context: Context): Promise<void> {
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
  const state: Checkpoint = { outlines }
  if (title !== null) state.title = title
  await context.checkpoint(state, { events })
}
