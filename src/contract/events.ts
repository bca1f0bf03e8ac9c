// The events of a run, as the log holds them: one line of JSON each, carrying the run and, where
// there is one, the stage.
import type { Problem } from '../domain/problem.ts'
import type { Stage } from '../domain/stage.ts'

/**
 * The kinds that only the gateway gives; upstream messages that bear one of these names are not
 * passed on.
 */
export const ownKinds: ReadonlySet<string> = new Set([
  'queued',
  'stage',
  'outline_chunk',
  'outlines',
  'awaiting_outlines',
  'stored',
  'resync',
])

/** The kinds that end a run. Upstream's own never pass as they are. */
export const terminalKinds: ReadonlySet<string> = new Set(['complete', 'error'])

/**
 * One event's line. `complete` gets its download for each reader, so its line must begin with its
 * type.
 */
export function encodeEvent(
  type: string,
  fields: Record<string, unknown>,
  place: { run: number; stage?: Stage | undefined },
): string {
  const { run, stage } = place
  return JSON.stringify(
    stage === undefined ? { type, ...fields, run } : { type, ...fields, run, stage },
  )
}

/** What a failure looks like in an event and in the presentation. */
export function errorOf({ code, detail, retryable }: Problem): {
  code: string
  detail: string
  retryable: boolean
} {
  return { code, detail, retryable }
}
