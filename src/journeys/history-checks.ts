// The history checker: what readers saw, what the log holds, what lies in the store and what was
// paid for, held against the promises. Each function returns what is wrong, in words; nothing when
// all is well.

import type { StreamEvent } from '../sandbox/reader.ts'

export type Seen = Pick<StreamEvent, 'id' | 'data' | 'text'>

export interface Spent {
  outlines: number
  prepares: number
  slideStreams: number
  exports: number
}

const stages = ['create', 'outlines', 'prepare', 'slides', 'export', 'store']
const maxSlideStreams = 3

const isTerminal = ({ data }: Seen) => data?.type === 'complete' || data?.type === 'error'
/** Every reader has a download link of its own. */
const plain = ({ text }: Seen) => text.replace(/,"download":.*$/, '')
const runOf = ({ data }: Seen) => data?.run as number

/**
 * A whole log, read from its start: dense numbers, runs one after the other, one terminal event
 * each, slides that join to one document.
 */
export function checkLog(all: readonly Seen[], { isEnded }: { isEnded: boolean }): string[] {
  const wrong: string[] = []
  const runs = new Map(
    [...new Set(all.map(runOf))].map((run) => [run, all.filter((event) => runOf(event) === run)]),
  )
  const latest = Math.max(0, ...runs.keys())
  let expected = 1
  let run = 1
  for (const event of all) {
    // The terminal events of runs before the latest are left out for new readers.
    if (event.id === expected + 1 && runOf(event) === run + 1) expected += 1
    if (event.id !== expected) wrong.push(`number ${event.id} where ${expected} was expected`)
    expected = (event.id ?? expected) + 1
    if (runOf(event) !== run && runOf(event) !== run + 1)
      wrong.push(`an event of run ${runOf(event)} after run ${run}`)
    run = runOf(event)
  }
  for (const [number, events] of runs) {
    const terminals = events.filter(isTerminal).length
    if (events[0]?.data.type !== 'queued')
      wrong.push(`run ${number} begins with ${events[0]?.data.type}`)
    if (number < latest && terminals > 0)
      wrong.push(`the terminal event of run ${number} is still shown`)
    if (number === latest && isEnded && terminals !== 1)
      wrong.push(`run ${number} has ${terminals} terminal events`)
    if (terminals > 0 && !isTerminal(events.at(-1) as Seen))
      wrong.push(`run ${number} goes on after its terminal event`)
    wrong.push(...checkRun(events).map((what) => `run ${number}: ${what}`))
  }
  return wrong
}

function checkRun(events: readonly Seen[]): string[] {
  const wrong: string[] = []
  const starts = new Map<string, number>()
  let progress = 0
  let stage = ''
  let text: string[] = []
  for (const { data } of events) {
    if (data.type === 'stage') {
      if (stage === 'slides' && data.stage === 'export') wrong.push(...checkSlides(text))
      if (!stages.includes(data.stage)) wrong.push(`unknown stage ${data.stage}`)
      starts.set(data.stage, (starts.get(data.stage) ?? 0) + 1)
      if (data.attempt !== starts.get(data.stage))
        wrong.push(`attempt ${data.attempt} of ${data.stage} is start ${starts.get(data.stage)}`)
      if (data.progress < progress)
        wrong.push(`progress falls from ${progress} to ${data.progress}`)
      progress = data.progress
      stage = data.stage
      text = []
    }
    if (data.type === 'chunk') text.push(data.chunk)
    if (data.type === 'chunk' && stage !== 'slides') wrong.push(`a chunk in stage ${stage}`)
  }
  return wrong
}

function checkSlides(chunks: readonly string[]): string[] {
  try {
    const { slides } = JSON.parse(chunks.join('')) as { slides: { index?: number }[] }
    const indexes = slides.map(({ index }) => index)
    return indexes.every((index, place) => index === undefined || index === place)
      ? []
      : [`slides ${indexes.join(', ')}`]
  } catch {
    return ['the chunks of the slides do not join to JSON']
  }
}

/**
 * What one reader saw over all its reconnects: each event of the log once, in order, as it is in
 * the log.
 */
export function checkReading(reading: readonly Seen[], log: readonly Seen[]): string[] {
  const wrong: string[] = []
  const byId = new Map(log.map((event) => [event.id, event]))
  const latest = Math.max(0, ...log.map(runOf))
  let last = 0
  for (const event of reading) {
    if (event.id === undefined) {
      if (event.data?.type !== 'status')
        wrong.push(`an event without a number: ${event.text.slice(0, 80)}`)
      continue
    }
    // Left out for whoever came later: terminal events of earlier runs, which nobody else can show
    // us any more.
    const isGap = event.id === last + 2 && !byId.has(last + 1) && runOf(event) > 1
    if (event.id !== last + 1 && !isGap) wrong.push(`number ${event.id} after ${last}`)
    const logged = byId.get(event.id)
    if (logged ? plain(logged) !== plain(event) : !(isTerminal(event) && runOf(event) < latest)) {
      wrong.push(`number ${event.id} is not what the log says`)
    }
    last = event.id
  }
  return wrong
}

/**
 * No more was paid for than was begun, visibly, and never more than three streams of slides in one
 * run.
 */
export function checkSpend(log: readonly Seen[], spent: Spent): string[] {
  const wrong: string[] = []
  const begun = (stage: string) =>
    log.filter(({ data }) => data.type === 'stage' && data.stage === stage).length
  const bounds: [keyof Spent, number][] = [
    ['outlines', begun('outlines')],
    ['prepares', begun('prepare')],
    ['slideStreams', Math.min(begun('slides'), maxSlideStreams * Math.max(1, ...log.map(runOf)))],
    ['exports', begun('export')],
  ]
  for (const [kind, bound] of bounds)
    if (spent[kind] > bound) wrong.push(`${spent[kind]} ${kind} where ${bound} were begun`)
  return wrong
}

export interface Outcome {
  status: string
  files: readonly { format: string; sha256: string; size_bytes: number }[]
  error: unknown
}

/**
 * The state agrees with the end of the log; completed means that a whole file is there that was
 * exported. `exported`: sha256 of each of the deck.
 */
export function checkOutcome(
  { status, files, error }: Outcome,
  log: readonly Seen[],
  {
    fetched,
    exported,
  }: { fetched: { sha256: string; bytes: number } | undefined; exported: readonly string[] },
): string[] {
  const wrong: string[] = []
  const last = log.at(-1)
  const ended: Record<string, string> = {
    completed: 'complete',
    failed: 'error',
    cancelled: 'error',
  }
  const isExport = log.some(
    (event) => runOf(event) === runOf(last as Seen) && event.data.stage === 'export',
  )
  if (!(status in ended)) wrong.push(`still ${status}`)
  else if (
    last?.data.type !== ended[status] &&
    !(status === 'completed' && isExport && last?.data.type === 'error')
  ) {
    wrong.push(`${status}, but the log ends with ${last?.data.type}`)
  }
  if (status === 'failed' && !error) wrong.push('failed without an error')
  if (status !== 'completed') return wrong
  const file = files.find(({ sha256 }) => sha256 === fetched?.sha256)
  if (!fetched) wrong.push('completed, but nothing can be downloaded')
  else if (!file) wrong.push('the downloaded file is none of those recorded')
  else if (file.size_bytes !== fetched.bytes)
    wrong.push(`${fetched.bytes} bytes instead of ${file.size_bytes}`)
  // Not what lies upstream in the end: an export that was given up may still have written its file
  // there.
  if (!files.every(({ sha256 }) => exported.includes(sha256)))
    wrong.push('a stored file is none that was exported from this deck')
  return wrong
}
