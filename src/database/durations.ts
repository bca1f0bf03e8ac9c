// Records how long completed runs took, and reads their medians for estimates. Raw SQL: medians and
// conditional fragments of other statements.

import type { Stage } from '../contract/stages.ts'
import { stages } from '../contract/stages.ts'
import type { Queryable } from './connection.ts'
import type { ReportRunEnd } from './end-run.ts'
import type { ExtraStatement } from './run-write.ts'
import type { StageClock } from './schema/presentations.ts'

/** Estimates follow the latest runs of the installation. */
const latestRuns = 50
const minRuns = 5

/** The clock after `stage` was left at `nowMs`, and another one (or none) was entered. */
export function advanceClock(
  { ms = {}, since }: StageClock,
  stage: Stage | null,
  { nowMs, isStopped = false }: { nowMs: number; isStopped?: boolean },
): StageClock {
  const spent =
    stage === null || since === undefined
      ? ms
      : { ...ms, [stage]: (ms[stage] ?? 0) + Math.max(0, nowMs - since) }
  return isStopped ? { ms: spent } : { ms: spent, since: nowMs }
}

/** The run ends in stage store, so its time is added here. */
const recordDurations: ExtraStatement = {
  text: `insert into gateway.run_durations (slides, stage_ms)
    select slides_done, jsonb_set(coalesce(stage_clock->'ms', '{}'), '{store}', to_jsonb(
      coalesce((stage_clock->'ms'->>'store')::float8, 0) + greatest(0,
        extract(epoch from now())::float8 * 1000 - (stage_clock->>'since')::float8)))
    from gateway.presentations where id = $1 and stage_clock ? 'since'`,
  values: [],
}

export const reportDurations: ReportRunEnd = ({ runKind }, { outcome }) =>
  runKind === 'deck' && outcome === 'completed' ? [recordDurations] : []

/** Deletes what no estimate uses any more. */
export async function pruneDurations(database: Queryable): Promise<void> {
  await database.query(
    `delete from gateway.run_durations where id in (
       select id from gateway.run_durations order by finished_at desc offset ${latestRuns})`,
    [],
  )
}

const median = (value: string) => `percentile_cont(0.5) within group (order by ${value})`
const medianOf = (stage: Stage) =>
  stage === 'slides'
    ? median(`(stage_ms->>'slides')::float8 / greatest(slides, 1)`)
    : median(`(stage_ms->>'${stage}')::float8`)

/** Uncorrelated: Postgres evaluates it once for a statement, and only where a row needs it. */
const medians = `(
  select case when count(*) >= ${minRuns} then
    json_build_object(${stages.map((stage) => `'${stage}', ${medianOf(stage)}`).join(', ')}) end
  from (select slides, stage_ms from gateway.run_durations
    order by finished_at desc limit ${latestRuns}) latest)`

/** What `nextStage` in generation/next-stage.ts says, from the checkpoints. */
const nextStage = (p: string) => `case
  when not ${p}.edit_finished then 'edit'
  when ${p}.run_kind not in ('deck', 'regenerate') then case when ${p}.presenton_path is null then 'export' else 'store' end
  when case when ${p}.run_kind = 'regenerate' and not ${p}.slides_finished then ${p}.fresh_deck_id
    else ${p}.presenton_presentation_id end is null then 'create'
  when ${p}.outlines is null then 'outlines'
  when not ${p}.deck_prepared then 'prepare'
  when not ${p}.slides_finished then 'slides'
  when ${p}.presenton_path is null then 'export' else 'store' end`

const running = `(select count(*) from gateway.presentations r
  where r.status = 'running' and r.run_started_at is not null)`

/**
 * The `EstimateInputs` of a row as JSON; null unless it is queued or running. It is unknown how
 * long an edit takes.
 */
export const estimateInputs = (p: string) => `case
  when ${p}.status in ('queued', 'running') and ${p}.edit_finished then
  json_build_object('medians', ${medians}, 'nextStage', ${nextStage(p)}, 'running', ${running},
    'hasOutlines', ${p}.outlines is not null, 'since', (${p}.stage_clock->>'since')::float8) end`

/** The same for a row that is being inserted. */
export const newEstimateInputs = (p: string) => `json_build_object('medians', ${medians},
  'nextStage', 'create', 'running', ${running}, 'hasOutlines', ${p}.outlines is not null,
  'since', null)`
