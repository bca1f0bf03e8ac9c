// Our log of the slides stage in upstream's form, from its start as often as it is asked for. It
// completes when its run does: the interface then saves each slide, which a running run refuses.

import { gatewayKinds } from '../../contract/events.ts'
import { findChangedRevision, findFinishedDeck } from '../../database/decks.ts'
import { Problem } from '../../domain/problem.ts'
import { isFinished } from '../../domain/status.ts'
import type { UpstreamAccount } from '../../presenton/account.ts'
import type { Presenton } from '../../presenton/client.ts'
import { deckGone } from '../../presenton/decks.ts'
import { type Followed, followLog } from './follow-log.ts'
import { errorMessage, type Message } from './frames.ts'
import { detailOf, type OutlinesStream } from './outlines-stream.ts'
import type { Messages } from './send-stream.ts'
import { type DeckState, findRunStart, findStageStart } from './statements.ts'

export interface SlidesStream extends OutlinesStream {
  presenton: Pick<Presenton, 'readDeck'>
}

export interface SlidesRequest {
  account: UpstreamAccount
  signal: AbortSignal
}

export const makesSlides = ({ runKind }: Pick<DeckState, 'runKind'>) =>
  runKind === 'deck' || runKind === 'regenerate'

/** The latest run makes slides, and is under way. */
export const isMakingSlides = (state: DeckState): boolean =>
  makesSlides(state) && !isFinished(state.status)

/** Ends with `complete` or `error`, or with the log. */
export async function* streamSlides(
  options: SlidesStream,
  state: DeckState,
  request: SlidesRequest,
): Messages {
  if (isMakingSlides(state)) return yield* follow(options, state, request)
  const hasFailed = makesSlides(state) && state.error !== null
  if (hasFailed) return yield errorMessage(detailOf(state))
  yield* replay(options, state, request)
}

async function* follow(
  options: SlidesStream,
  state: DeckState,
  { signal }: SlidesRequest,
): Messages {
  const { database } = options
  const { id, run } = state
  const start = await findStageStart(database, { id, stage: 'slides' })
  const isOfRun = start?.run === run
  const after = isOfRun ? start.seq : await findRunStart(database, { id, run })
  yield* messagesOf(followLog(options, { id, after, signal }), { run, isStarted: isOfRun })
}

/** The messages of one run. After a second start of the stage only its end counts. */
async function* messagesOf(
  events: AsyncGenerator<Followed | undefined>,
  { run, isStarted }: { run: number; isStarted: boolean },
): Messages {
  let isInSlides = isStarted
  let hasChunks = false
  let isMuted = false
  for await (const event of events) {
    if (event === undefined) {
      yield undefined
      continue
    }
    const { kind, data } = event
    if (event.run > run) return
    if (kind === 'stage') {
      isInSlides = data.stage === 'slides'
      isMuted ||= isInSlides && hasChunks
    } else if (kind === 'error') return yield errorMessage(String(data.detail))
    else if (kind === 'complete') return yield { type: 'complete', presentation: data.presentation }
    else if (kind === 'status') yield { type: 'status', status: data.status }
    else if (kind === 'awaiting_outlines') yield inReview
    else if (isInSlides && !isMuted && !gatewayKinds.has(kind ?? '') && !isSeparator(data)) {
      hasChunks ||= kind === 'chunk'
      yield toUpstream(data)
    }
  }
}

/** The interface has no way back to its page of outlines, so it says what it waits for. */
const inReview: Message = { type: 'status', status: 'The outlines wait for your approval.' }

/** Upstream writes no commas between slides. */
const isSeparator = ({ chunk }: Record<string, unknown>) => chunk === ','

function toUpstream(data: Record<string, unknown>): Message {
  const { run: _run, stage: _stage, ...members } = data
  if (members.type === 'chunk') delete members.slide_index
  return members as Message
}

/** What the log has, if the deck is still as it was then; else the deck as it is now. */
async function* replay(
  options: SlidesStream,
  state: DeckState,
  { account, signal }: SlidesRequest,
): Messages {
  const { database, presenton } = options
  const { id, deckId } = state
  const start = await findStageStart(database, { id, stage: 'slides' })
  const finished =
    start && (await findChangedRevision(database, deckId)) === undefined
      ? await findFinishedDeck(database, deckId)
      : undefined
  if (start && finished) {
    const events = followLog(options, { id, after: start.seq, signal })
    for await (const message of messagesOf(events, { run: start.run, isStarted: true })) {
      if (message?.type === 'complete' || message?.type === 'error') break
      if (message) yield message
    }
    return yield { type: 'complete', presentation: finished }
  }
  const { presentation, slides } = await presenton
    .readDeck({ account, signal, deckId })
    .catch((error: unknown) => {
      throw deckGone(error)
    })
  yield { type: 'chunk', chunk: '{ "slides": [ ' }
  for (const slide of slides) yield { type: 'chunk', chunk: JSON.stringify(slide) }
  yield { type: 'chunk', chunk: ' ] }' }
  const title = state.title ?? presentation.title
  yield { type: 'complete', presentation: { ...presentation, title } }
}

/** @throws Problem VALIDATION_FAILED where upstream says that the deck was not prepared */
export function checkPrepared({ outlines, status }: DeckState): void {
  if (outlines || status === 'queued' || status === 'running') return
  throw new Problem('VALIDATION_FAILED', { detail: 'Presentation not prepared for stream' })
}
