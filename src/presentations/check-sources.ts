// Whether a brief may name its sources: each is the caller's own, and of a type that upstream
// takes.

import type { InvalidPlace } from '../contract/problem.ts'
import type { Queryable } from '../database/connection.ts'
import { type BriefSource, lockSources } from '../database/sources.ts'
import { Problem } from '../domain/problem.ts'

export interface SourceChecks {
  userId: string
  /** Those that exist, by id. */
  known: ReadonlyMap<string, BriefSource>
  /** The content types that upstream takes; undefined while that is not known. */
  takenTypes: readonly string[] | undefined
}

/** The sources that these briefs name, locked until the transaction ends. */
export async function readBriefSources(
  client: Queryable,
  briefs: { sources: string[] }[],
): Promise<ReadonlyMap<string, BriefSource>> {
  const ids = briefs.flatMap(({ sources }) => sources)
  return ids.length > 0 ? lockSources(client, ids) : new Map()
}

/**
 * The sources of a brief, in its order.
 *
 * @throws Problem VALIDATION_FAILED at each source that cannot be used
 */
export function checkSources(
  ids: readonly string[],
  { userId, known, takenTypes }: SourceChecks,
): { id: string; name: string }[] {
  const errors: InvalidPlace[] = []
  const found = ids.flatMap((id, i) => {
    const path = `/sources/${i}`
    const source = known.get(id)
    // A foreign source looks like one that does not exist.
    if (source?.userId !== userId) errors.push({ path, message: 'is not one of your sources' })
    else if (takenTypes && !takenTypes.includes(source.contentType))
      errors.push({ path, message: `is ${source.contentType}, which the generator cannot read` })
    else return { id, name: source.name }
    return []
  })
  if (errors.length > 0) throw new Problem('VALIDATION_FAILED', { errors })
  return found
}
