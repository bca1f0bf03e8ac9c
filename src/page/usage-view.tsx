// The user's quotas: one line before it is needed, and bars with when they reset.

import { signal } from '@preact/signals'
import type { Usage } from '../client/client.ts'
import { at, count } from './format.ts'
import { messageOf } from './problems.ts'
import { RetryNote } from './retry-note.tsx'
import { gateway, noticeSignedOut } from './session.ts'

export const usage = signal<Usage | undefined>(undefined)
const trouble = signal('')

export async function refreshUsage(): Promise<void> {
  try {
    usage.value = await gateway.usage.get()
    trouble.value = ''
  } catch (error) {
    if (!noticeSignedOut(error)) trouble.value = messageOf(error)
  }
}

type Allowance = Usage['per_hour']
const names: Record<string, string> = {
  per_hour: 'Decks in an hour',
  per_day: 'Decks in a day',
  total: 'Decks kept',
  total_slides: 'Slides kept',
  edits_per_day: 'Slide edits in a day',
  sources: 'Documents kept',
  sources_mib: 'Documents kept, in MiB',
}

const allowances = (of: Usage) => Object.entries(of) as [string, Allowance][]

/** `7 decks left this hour`, or why none is. */
export function RemainingQuota() {
  const now = usage.value
  if (!now) return <p class="quota">&nbsp;</p>
  const windows: [Allowance, string][] = [
    [now.per_hour, 'this hour'],
    [now.per_day, 'today'],
    [now.total, 'in total'],
  ]
  const limited = windows.filter(([{ remaining }]) => remaining !== null)
  const [least] = limited.sort(([a], [b]) => (a.remaining ?? 0) - (b.remaining ?? 0))
  if (!least) return <p class="quota">No limit on decks</p>
  const [{ remaining, resets_at: resetsAt }, when] = least
  if (remaining === 0) {
    return (
      <p class="quota quota-none">
        No decks left {when}
        {resetsAt ? `, more from ${at(resetsAt)}` : ': delete decks to make new ones'}
      </p>
    )
  }
  return (
    <p class="quota">
      {count(remaining ?? 0, 'deck')} left {when}
    </p>
  )
}

export function UsageBars() {
  const now = usage.value
  if (trouble.value) {
    return <RetryNote trouble={trouble.value} onRetry={() => void refreshUsage()} />
  }
  if (!now) return <p aria-busy="true">Loading …</p>
  return (
    <ul class="usage">
      {allowances(now).map(([name, allowance]) => (
        <Bar key={name} name={names[name] ?? name.replaceAll('_', ' ')} allowance={allowance} />
      ))}
    </ul>
  )
}

function Bar({ name, allowance }: { name: string; allowance: Allowance }) {
  const { limit, used, resets_at: resetsAt } = allowance
  const shown = Math.round(used * 10) / 10
  return (
    <li>
      <span class="usage-name">{name}</span>
      <span class="usage-count">
        {limit === null ? `${shown}, no limit` : `${shown} of ${limit}`}
      </span>
      {limit !== null && (
        <meter
          aria-label={name}
          min={0}
          max={Math.max(1, limit)}
          value={Math.min(used, limit)}
          high={limit * 0.8}
          optimum={0}
        />
      )}
      <span class="help">{limit !== null && resetsAt ? `More from ${at(resetsAt)}` : ''}</span>
    </li>
  )
}
