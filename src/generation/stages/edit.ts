// Stage edit: upstream's model changes one slide. The call costs money and is made once. Its intent
// and the deck before it are saved first; what it did is then read from the deck, whether it
// succeeded, failed, or was lost in a crash.

import { randomUUID } from 'node:crypto'
import {
  findEdit,
  markEditAnswered,
  markEditSent,
  type SlideEdit,
} from '../../database/slide-edits.ts'
import { Problem, toRunError } from '../../domain/problem.ts'
import { parseDeck } from '../../presenton/deck-responses.ts'
import { type ResponseCause, rejected } from '../../presenton/failures.ts'
import type { SlideEditResult } from '../../presenton/slide-edits.ts'
import { finalProblem } from '../attempts.ts'
import { type AskedEdit, concludeEdit, readDeck } from '../conclude-edit.ts'
import type { Context } from '../context.ts'

export async function edit(context: Context): Promise<void> {
  const { run, database } = context
  const found = await findEdit(database, run.id)
  if (!found) throw new Problem('INTERNAL_ERROR', { failure: 'final' })
  const asked = found.phase === 'waiting' ? await ask(context, found) : toAsked(found)
  await concludeEdit(context, asked)
}

/** The call of an earlier holder of the run. The tools that its chat has used are unknown. */
function toAsked({ before, ...saved }: SlideEdit): AskedEdit {
  return { ...saved, before: parseDeck(before), tools: undefined, lost: undefined }
}

async function ask(context: Context, { slideIndex, instruction }: SlideEdit): Promise<AskedEdit> {
  const { run, presenton, account, signal, logger, log } = context
  const { deckId } = run
  if (!deckId) throw new Error('An edit needs a deck.')
  if (!(await presenton.readCapabilities({ signal })).edit)
    throw new Problem('NOT_SUPPORTED', { failure: 'final' })
  const before = await readDeck(context, deckId)
  const slideId = before.slides[slideIndex]?.id
  if (typeof slideId !== 'string') throw rejected('It has no such slide.')
  const conversationId = randomUUID()
  const sent = markEditSent(before.presentation, conversationId)
  await log.commit({ extraStatements: [sent] })

  const call = { account, signal, deckId, slideId, slideIndex, instruction, conversationId }
  const result = await presenton.editSlide(call).catch((error: unknown) => {
    signal.throwIfAborted()
    logger.warn({ err: error }, 'the call of an edit failed')
    return error instanceof Problem ? error : new Problem('INTERNAL_ERROR', { cause: error })
  })
  const answer = describeAnswer(result)
  if (answer.isAnswered) {
    const { error, wasRefused } = answer
    await log.commit({ extraStatements: [markEditAnswered(error, { wasRefused })] })
  }
  const failed = result instanceof Problem
  return {
    slideIndex,
    before,
    conversationId: failed ? conversationId : (result.conversationId ?? conversationId),
    phase: answer.isAnswered ? 'answered' : 'sent',
    error: answer.error,
    tools: failed ? undefined : result.tools,
    lost: failed && !answer.isAnswered ? result : undefined,
  }
}

/**
 * Upstream has answered with a status, was not reached, or did not answer in time. A connection
 * that broke, and an answer that cannot be read, say nothing of what it did.
 */
function describeAnswer(result: SlideEditResult | Problem) {
  if (!(result instanceof Problem)) return { isAnswered: true, error: null, wasRefused: false }
  const { status } = (result.cause ?? {}) as Partial<ResponseCause>
  const wasRefused = ['outage', 'credentials'].includes(result.failure ?? '') && !status
  const isAnswered =
    wasRefused || (status !== undefined && status >= 400) || result.code === 'UPSTREAM_TIMEOUT'
  const error = isAnswered ? toRunError(finalProblem(result)) : null
  return { isAnswered, error, wasRefused }
}
