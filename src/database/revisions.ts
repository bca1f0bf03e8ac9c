// The revision of a finished deck as an SQL fragment. `p` is the alias of a row of
// gateway.presentations.

/** Null before the first completion. Completions by releases without revisions count as 1. */
export const revisionOf = (p: string) =>
  `coalesce(${p}.revision, case when ${p}.completed_at is not null then 1 end)`
