// Times, sizes and names as people read them.

import type { Presentation } from '../client/client.ts'

export function timeLeft(ms: number): string {
  const seconds = Math.max(1, Math.round(ms / 1000))
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.round(seconds / 60)
  if (minutes < 60) return `${minutes} min`
  const hours = Math.round(minutes / 60)
  return hours < 48 ? `${hours} h` : `${Math.round(hours / 24)} days`
}

const day = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short', year: 'numeric' })
const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' })

/** `just now`, `5 min ago`, `14:05`, `3 Jan 2026`. */
export function since(time: string, nowMs: number): string {
  const date = new Date(time)
  const minutes = Math.floor((nowMs - date.getTime()) / 60_000)
  if (minutes < 1) return 'just now'
  if (minutes < 60) return `${minutes} min ago`
  const isToday = new Date(nowMs).toDateString() === date.toDateString()
  return isToday ? `today, ${clock.format(date)}` : day.format(date)
}

export const at = (time: string) => {
  const date = new Date(time)
  const isToday = new Date().toDateString() === date.toDateString()
  return isToday ? clock.format(date) : `${day.format(date)}, ${clock.format(date)}`
}

export function size(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`
  const kib = bytes / 1024
  return kib < 1024 ? `${Math.round(kib)} KiB` : `${(kib / 1024).toFixed(1)} MiB`
}

export const percent = (progress: number) => `${Math.floor(progress * 100)} %`

export const count = (n: number, one: string, many = `${one}s`) => `${n} ${n === 1 ? one : many}`

export const titleOf = ({ title }: Pick<Presentation, 'title'>) => title?.trim() || 'Untitled deck'

export const isActive = ({ status }: Pick<Presentation, 'status'>) =>
  status === 'queued' || status === 'running' || status === 'awaiting_outlines'

export const statusNames: Record<Presentation['status'], string> = {
  queued: 'Waiting',
  running: 'In progress',
  awaiting_outlines: 'Your review',
  completed: 'Ready',
  failed: 'Failed',
  cancelled: 'Cancelled',
}
