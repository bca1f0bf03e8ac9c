// Our log of the outlines stage in upstream's form. It asks upstream nothing: the run does, once,
// and a tab that opens the stream later gets the same from its start.

import type { Queryable } from '../../database/connection.ts'
import { Problem } from '../../domain/problem.ts'
import { isFinished } from '../../domain/status.ts'
import { type Followed, followLog, type LogReading } from './follow-log.ts'
import { errorMessage, type Message } from './frames.ts'
import type { Messages } from './send-stream.ts'
import { type DeckState, findDeckState, findRunStart, findStageStart } from './statements.ts'

export interface OutlinesStream extends LogReading {
  database: LogReading['database'] & Queryable
}

/** Of a deck that no run works on: one that was blank has none. */
const whyNone = (state: DeckState): string =>
  state.status === 'completed' ? 'This presentation has no outlines.' : detailOf(state)

/** Ends with `complete` or `error`, or with the log. */
export async function* streamOutlines(
  options: OutlinesStream,
  state: DeckState,
  signal: AbortSignal,
): Messages {
  const { database } = options
  const { id } = state
  const start = await findStageStart(database, { id, stage: 'outlines' })
  if (state.outlines) {
    yield* replay(options, state, { after: start?.seq, signal })
    return
  }
  if (isFinished(state.status)) return yield errorMessage(whyNone(state))
  const isOfRun = start?.run === state.run
  const after = isOfRun ? start.seq : await findRunStart(database, state)
  // A failed attempt leaves half a document, so only `complete` shows what follows it.
  let attempts = isOfRun ? 1 : 0
  let hasChunks = false
  for await (const event of followLog(options, { id, after, signal })) {
    if (event === undefined) yield undefined
    else if (event.run > state.run) break
    else if (event.kind === 'stage' && event.data.stage === 'outlines') attempts += 1
    else if (event.kind === 'error') return yield errorMessage(String(event.data.detail))
    else if (event.kind === 'outlines') break
    else {
      const message = toMessage(event)
      if (message?.type === 'chunk' && hasChunks && attempts > 1) continue
      hasChunks ||= message?.type === 'chunk'
      if (message) yield message
    }
  }
  const found = await findDeckState(database, state)
  if (found?.outlines) yield completeOutlines(found)
  else if (found && isFinished(found.status)) yield errorMessage(whyNone(found))
}

async function* replay(
  options: OutlinesStream,
  state: DeckState,
  { after, signal }: { after: number | undefined; signal: AbortSignal },
): Messages {
  let hasChunks = false
  if (after !== undefined) {
    for await (const event of followLog(options, { id: state.id, after, signal })) {
      if (!event || event.kind === 'outlines' || event.data.stage !== 'outlines') break
      const message = toMessage(event)
      hasChunks ||= message?.type === 'chunk'
      if (message) yield message
    }
  }
  const slides = (state.outlines ?? []).map((content) => ({ content }))
  if (!hasChunks) yield { type: 'chunk', chunk: JSON.stringify({ slides }) }
  yield completeOutlines(state)
}

function toMessage({ kind, data }: Followed): Message | undefined {
  if (kind === 'outline_chunk') return { type: 'chunk', chunk: data.chunk }
  return kind === 'status' ? { type: 'status', status: data.status } : undefined
}

/** The row as upstream has it at the end of its stream. */
export function completeOutlines(state: DeckState): Message {
  const { deckId, brief, nSlides, language, title, outlines } = state
  return {
    type: 'complete',
    presentation: {
      id: deckId,
      version: 'v2-standard',
      content: brief.content,
      n_slides: nSlides,
      language,
      title,
      tone: brief.tone,
      verbosity: brief.verbosity,
      instructions: brief.instructions,
      include_table_of_contents: brief.includeTableOfContents,
      include_title_slide: brief.includeTitleSlide,
      web_search: brief.webSearch,
      outlines: { slides: (outlines ?? []).map((content) => ({ content })) },
      // What follows later, or is not told.
      ...{ file_paths: null, layout: null, structure: null, theme: null, fonts: null },
      created_at: state.createdAt.toISOString(),
      updated_at: state.updatedAt.toISOString(),
    },
  }
}

/** Why the latest run ended without success. */
export const detailOf = ({ error }: DeckState): string =>
  error?.detail ?? new Problem('INTERNAL_ERROR').detail
