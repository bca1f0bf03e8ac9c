// How tools show a presentation: what an agent needs to go on, and one sentence on what to do now.

import Type, { type Static } from 'typebox'
import { count, nullable, oneOf, text } from '../contract/member-schemas.ts'
import { linksSchema, type Presentation, statusSchema } from '../contract/presentation.ts'
import { stages } from '../contract/stages.ts'
import type { IdempotentResponse } from '../database/idempotency.ts'
import type { ToolResult } from './tool.ts'

export const presentationSummarySchema = Type.Object({
  id: text(),
  title: nullable(text()),
  status: statusSchema,
  stage: nullable(oneOf(stages)),
  progress: Type.Number({ minimum: 0, maximum: 1 }),
  slides_done: count(),
  n_slides: count(),
  error: nullable(
    // `code` is no enum: a newer gateway may know more of them.
    Type.Object({ code: text(), detail: text(), retryable: Type.Boolean() }),
  ),
  links: linksSchema,
})
type PresentationSummary = Static<typeof presentationSummarySchema>

export const presentationResultSchema = Type.Object({
  presentation: presentationSummarySchema,
  next: text('What to do now.'),
})

export function summarize(presentation: Presentation): PresentationSummary {
  const { id, title, status, stage, progress, slides_done, n_slides, error, links } = presentation
  return { id, title, status, stage, progress, slides_done, n_slides, error, links }
}

/** `prefix` is a sentence of ours before the one on what to do now. */
export function presentationResult(
  presentation: Presentation,
  prefix?: string,
): ToolResult<Static<typeof presentationResultSchema>> {
  const next = [prefix, nextStep(presentation)].filter(Boolean).join(' ')
  return {
    structured: { presentation: summarize(presentation), next },
    text: `${describe(presentation)} ${next}`,
  }
}

/**
 * After a command with an idempotency key: its result, or for a repeated one the present state,
 * since the first result is out of date. `repeated` says so.
 */
export async function startedResult(
  { replayed, body }: Pick<IdempotentResponse, 'replayed' | 'body'>,
  readNow: () => Promise<Presentation>,
  repeated: string,
): Promise<ToolResult<Static<typeof presentationResultSchema>>> {
  if (!replayed) return presentationResult(body as Presentation)
  return presentationResult(await readNow(), repeated)
}

function describe({ id, status, stage, progress, error }: Presentation): string {
  const state = `${status}${stage ? `, stage ${stage}` : ''}, ${Math.floor(progress * 100)} %`
  const reason = error ? ` (${error.code}: ${error.detail})` : ''
  return `Presentation ${id} is ${state}${reason}.`
}

/** Never holds a user's or a model's text, which could pose as an instruction. */
function nextStep({ status, files, error }: Presentation): string {
  switch (status) {
    case 'queued':
    case 'running':
      return 'Call get_presentation with wait_seconds until status is completed.'
    case 'awaiting_outlines':
      return 'Call get_outlines, show them to the user, then call approve_outlines.'
    case 'completed':
      if (error) return 'The latest change or export failed; the deck is as it was before.'
      if (files.some(({ stale }) => !stale)) return 'Call get_download_link for a link to the file.'
      if (files.length > 0) return 'The deck has changed: call export_presentation for a new file.'
      return 'Call export_presentation to make a file.'
    case 'cancelled':
      return 'Call retry_presentation to continue it.'
    case 'failed':
      return error?.retryable
        ? 'Call retry_presentation to continue it.'
        : 'It cannot be continued. Tell the user why, and make a new one from a changed brief.'
  }
}
