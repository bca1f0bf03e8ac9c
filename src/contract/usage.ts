// How much of each quota a user has used.

import Type, { type Static } from 'typebox'
import { count, nullable, time } from './member-schemas.ts'

const allowanceSchema = Type.Object({
  limit: nullable(Type.Integer({ description: 'Null: unlimited.' })),
  used: count(),
  remaining: nullable(count('Null: unlimited.')),
  resets_at: nullable(
    time(
      'When the window begins to free itself; null where nothing is used, or time frees nothing.',
    ),
  ),
})

export const usageSchema = Type.Object(
  {
    per_hour: allowanceSchema,
    per_day: allowanceSchema,
    total: allowanceSchema,
    total_slides: allowanceSchema,
    edits_per_day: allowanceSchema,
    sources: allowanceSchema,
    sources_mib: allowanceSchema,
  },
  { title: 'Usage' },
)
export type UsageResponse = Static<typeof usageSchema>

const unlimited = { limit: null, used: 12, remaining: null, resets_at: null }

export const usageExample: UsageResponse = {
  per_hour: { limit: 10, used: 3, remaining: 7, resets_at: '2026-11-27T10:30:00.000Z' },
  per_day: { limit: 50, used: 3, remaining: 47, resets_at: '2026-11-28T09:30:00.000Z' },
  total: unlimited,
  total_slides: { ...unlimited, used: 96 },
  edits_per_day: { limit: 100, used: 2, remaining: 98, resets_at: '2026-11-28T08:10:00.000Z' },
  sources: { limit: 200, used: 4, remaining: 196, resets_at: null },
  sources_mib: { limit: 500, used: 31, remaining: 469, resets_at: null },
}
