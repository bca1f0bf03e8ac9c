// History checks: compare what subscribers read, the log, the stored files and the paid upstream
// calls with what the gateway promises. Each function returns a list of violations as text.

import type { StreamEvent } from '../sandbox/reader.ts'

export type SeenEvent = Pick<StreamEvent, 'id' | 'data' | 'text'>

export interface Spent {
  outlines: number
  prepares: number
  slideStreams: number
  exports: number
}

const stages = ['create', 'outlines', 'prepare', 'slides', 'edit', 'export', 'store']
const ofFinishedDeck = ['edit', 'export', 'store']
const maxSlideStreams = 3

const isTerminal = ({ data }: SeenEvent) => data?.type === 'complete' || data?.type === 'error'
/** The event without its download link, which differs for each subscriber. */
const withoutLink = ({ text }: SeenEvent) => text.replace(/,"download":.*$/, '')
const runOf = ({ data }: SeenEvent) => data?.run as number

/**
 * Checks a log that was read from its start: dense numbers, runs in order, one terminal event at
 * the end of the latest run, slide chunks that join to one document.
 */
export function checkLog(all: readonly SeenEvent[], { isEnded }: { isEnded: boolean }): string[] {
  const violations: string[] = []
  const runs = new Map(
    [...new Set(all.map(runOf))].map((run) => [run, all.filter((event) => runOf(event) === run)]),
  )
  const latest = Math.max(0, ...runs.keys())
  let expected = 1
  let run = 1
  for (const event of all) {
    // New subscribers do not get the terminal events of earlier runs.
    if (event.id === expected + 1 && runOf(event) === run + 1) expected += 1
    if (event.id !== expected) violations.push(`number ${event.id} where ${expected} was expected`)
    expected = (event.id ?? expected) + 1
    if (runOf(event) !== run && runOf(event) !== run + 1)
      violations.push(`an event of run ${runOf(event)} after run ${run}`)
    run = runOf(event)
  }
  for (const [number, events] of runs) {
    const terminals = events.filter(isTerminal).length
    if (events[0]?.data.type !== 'queued')
      violations.push(`run ${number} begins with ${events[0]?.data.type}`)
    if (number < latest && terminals > 0)
      violations.push(`the terminal event of run ${number} is still shown`)
    if (number === latest && isEnded && terminals !== 1)
      violations.push(`run ${number} has ${terminals} terminal events`)
    if (terminals > 0 && !isTerminal(events.at(-1) as SeenEvent))
      violations.push(`run ${number} continues after its terminal event`)
    violations.push(...checkRun(events).map((violation) => `run ${number}: ${violation}`))
  }
  return violations
}

function checkRun(events: readonly SeenEvent[]): string[] {
  const violations: string[] = []
  const starts = new Map<string, number>()
  let progress = 0
  let stage = ''
  let text: string[] = []
  for (const { data } of events) {
    if (data.type === 'stage') {
      if (stage === 'slides' && data.stage === 'export') violations.push(...checkSlides(text))
      if (!stages.includes(data.stage)) violations.push(`unknown stage ${data.stage}`)
      starts.set(data.stage, (starts.get(data.stage) ?? 0) + 1)
      if (data.attempt !== starts.get(data.stage))
        violations.push(
          `start ${starts.get(data.stage)} of ${data.stage} is called attempt ${data.attempt}`,
        )
      if (data.progress < progress)
        violations.push(`progress falls from ${progress} to ${data.progress}`)
      progress = data.progress
      stage = data.stage
      text = []
    }
    if (data.type === 'chunk') text.push(data.chunk)
    if (data.type === 'chunk' && stage !== 'slides') violations.push(`a chunk in stage ${stage}`)
  }
  return violations
}

function checkSlides(chunks: readonly string[]): string[] {
  try {
    const { slides } = JSON.parse(chunks.join('')) as { slides: { index?: number }[] }
    const indexes = slides.map(({ index }) => index)
    return indexes.every((index, position) => index === undefined || index === position)
      ? []
      : [`slides ${indexes.join(', ')}`]
  } catch {
    return ['the slide chunks do not join to JSON']
  }
}

/** Checks that one subscriber got each event of the log once and in order, over all reconnects. */
export function checkReading(reading: readonly SeenEvent[], log: readonly SeenEvent[]): string[] {
  const violations: string[] = []
  const byId = new Map(log.map((event) => [event.id, event]))
  const latest = Math.max(0, ...log.map(runOf))
  let last = 0
  for (const event of reading) {
    if (event.id === undefined) {
      if (event.data?.type !== 'status')
        violations.push(`an event without a number: ${event.text.slice(0, 80)}`)
      continue
    }
    // The terminal event of an earlier run is missing for subscribers that connected later.
    const isGap = event.id === last + 2 && !byId.has(last + 1) && runOf(event) > 1
    if (event.id !== last + 1 && !isGap) violations.push(`number ${event.id} after ${last}`)
    const logged = byId.get(event.id)
    if (
      logged
        ? withoutLink(logged) !== withoutLink(event)
        : !(isTerminal(event) && runOf(event) < latest)
    ) {
      violations.push(`number ${event.id} differs from the log`)
    }
    last = event.id
  }
  return violations
}

/** Starts of exports in runs that made no slides. */
function startsOfFurtherExports(log: readonly SeenEvent[]): number {
  const isStart = ({ data }: SeenEvent, stage: string) =>
    data.type === 'stage' && data.stage === stage
  const makingSlides = new Set(log.filter((each) => isStart(each, 'slides')).map(runOf))
  const exports = log.filter((each) => isStart(each, 'export'))
  return exports.filter((each) => !makingSlides.has(runOf(each))).length
}

/**
 * Checks that every paid upstream call belongs to a stage event, and that no run had more than
 * three slide streams.
 */
export function checkSpend(log: readonly SeenEvent[], spent: Spent): string[] {
  const violations: string[] = []
  const starts = (stage: string) =>
    log.filter(({ data }) => data.type === 'stage' && data.stage === stage).length
  const bounds: [keyof Spent, number][] = [
    ['outlines', starts('outlines')],
    ['prepares', starts('prepare')],
    ['slideStreams', Math.min(starts('slides'), maxSlideStreams * Math.max(1, ...log.map(runOf)))],
    // The first further export of a replica may be a second one under our title: see exports.ts.
    ['exports', starts('export') + startsOfFurtherExports(log)],
  ]
  for (const [kind, bound] of bounds)
    if (spent[kind] > bound)
      violations.push(`${spent[kind]} ${kind}, but only ${bound} were started`)
  return violations
}

export interface Outcome {
  status: string
  files: readonly { format: string; sha256: string; size_bytes: number }[]
  error: unknown
}

/**
 * Checks that the status agrees with the end of the log, and that a completed presentation has a
 * complete file. `exported`: SHA-256 of each file that upstream exported from the deck.
 */
export function checkOutcome(
  { status, files, error }: Outcome,
  log: readonly SeenEvent[],
  {
    fetched,
    exported,
  }: { fetched: { sha256: string; bytes: number } | undefined; exported: readonly string[] },
): string[] {
  const violations: string[] = []
  const last = log.at(-1)
  const terminalKind: Record<string, string> = {
    completed: 'complete',
    failed: 'error',
    cancelled: 'error',
  }
  // An edit or a further export, which may end before its first stage.
  const run = last && runOf(last)
  const isOfFinishedDeck =
    run !== 1 &&
    log.every(({ data }) => data.run !== run || !data.stage || ofFinishedDeck.includes(data.stage))
  if (!(status in terminalKind)) violations.push(`still ${status}`)
  else if (
    last?.data.type !== terminalKind[status] &&
    !(status === 'completed' && isOfFinishedDeck && last?.data.type === 'error')
  ) {
    violations.push(`${status}, but the log ends with ${last?.data.type}`)
  }
  if (status === 'failed' && !error) violations.push('failed without an error')
  if (status !== 'completed') return violations
  const file = files.find(({ sha256 }) => sha256 === fetched?.sha256)
  if (!fetched) violations.push('completed, but no file can be downloaded')
  else if (!file) violations.push('the downloaded file is not one of those recorded')
  else if (file.size_bytes !== fetched.bytes)
    violations.push(`${fetched.bytes} bytes instead of ${file.size_bytes}`)
  // `exported` may hold more: an abandoned export may still have written its file upstream.
  if (!files.every(({ sha256 }) => exported.includes(sha256)))
    violations.push('a stored file was not exported from this deck')
  return violations
}
