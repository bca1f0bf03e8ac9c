// The quotas in their wire form.

import type { UsageResponse } from '../contract/usage.ts'
import type { Allowance, Usage } from './read-usage.ts'

export function usageView(usage: Usage): UsageResponse {
  const { perHour, perDay, total, totalSlides, editsPerDay, sources, sourcesMib } = usage
  return {
    per_hour: allowance(perHour),
    per_day: allowance(perDay),
    total: allowance(total),
    total_slides: allowance(totalSlides),
    edits_per_day: allowance(editsPerDay),
    sources: allowance(sources),
    sources_mib: allowance(sourcesMib),
  }
}

function allowance({ limit, used, remaining, resetsAt }: Allowance) {
  return { limit, used, remaining, resets_at: resetsAt?.toISOString() ?? null }
}
