// The template of a run. Where the caller named none it is the operator's default, and a missing
// one is the operator's mistake: the run fails in a way that a retry can fix.

import type { Run } from '../database/leases.ts'
import type { Problem } from '../domain/problem.ts'
import { fault, rejected } from '../presenton/failures.ts'
import type { Context } from './context.ts'

/** The default may have been corrected since the brief was accepted. */
export async function useCurrentDefault(context: Context): Promise<void> {
  const { run, defaultTemplate, checkpoint } = context
  if (!run.brief.usesDefaultTemplate || run.template === defaultTemplate) return
  await checkpoint({ template: defaultTemplate })
}

export function missingTemplate({ brief }: Pick<Run, 'brief'>): Problem {
  return brief.usesDefaultTemplate
    ? fault('upstream does not have the default template')
    : rejected('It does not have this template.')
}
