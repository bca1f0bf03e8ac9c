// The rules of every event log: dense numbers, one run, stages in order, rising progress, and slide
// chunks that join to one document. `readLog` checks a complete log and returns its content.

import { expect } from 'vitest'
import type { StreamEvent } from '../sandbox/reader.ts'

/** Event kinds that upstream may send and the gateway forwards. */
const upstreamKinds = new Set([
  'status',
  'chunk',
  'slide_assets',
  'fonts',
  'slide_html',
  'generation_metrics',
])
const stages = ['create', 'outlines', 'prepare', 'slides', 'export', 'store']

/** Checks the complete log of a first run and returns its content by kind. */
export function readLog(events: readonly StreamEvent[]) {
  const data = events.map((event) => event.data)
  expect(events.map(({ id }) => id)).toEqual(data.map((_, index) => index + 1))
  expect(new Set(events.map(({ event }) => event))).toEqual(new Set(['response']))
  for (const event of data) expect(event).toMatchObject({ type: expect.any(String), run: 1 })
  expect(data[0]).toEqual({ type: 'queued', position: expect.any(Number), run: 1 })
  expect(data[0].position).toBeGreaterThanOrEqual(1)
  expect(ofKind('queued')).toHaveLength(1)

  const terminal = data.filter(({ type }) => type === 'complete' || type === 'error')
  expect(terminal).toEqual([data.at(-1)])
  checkStages()
  checkKinds()
  return {
    kinds: data.map(({ type }) => type as string),
    /** The started stages, in order. */
    stages: ofKind('stage').map(({ stage }) => stage as string),
    outlines: ofKind('outlines').at(-1) as { outlines: string[]; title: string | null } | undefined,
    slides: slidesOf(),
    stored: ofKind('stored'),
    statuses: ofKind('status'),
    terminal: terminal[0],
    data,
  }

  function ofKind(kind: string) {
    return data.filter(({ type }) => type === kind)
  }

  function checkStages() {
    const starts: Record<string, number> = {}
    let progress = 0
    for (const event of ofKind('stage')) {
      expect(stages).toContain(event.stage)
      starts[event.stage] = (starts[event.stage] ?? 0) + 1
      expect(event).toEqual({
        type: 'stage',
        attempt: starts[event.stage],
        progress: expect.any(Number),
        run: 1,
        stage: event.stage,
      })
      expect(event.progress).toBeGreaterThanOrEqual(progress)
      expect(event.progress).toBeLessThanOrEqual(1)
      progress = event.progress
    }
  }

  /** Every event has the members of its kind, and names the stage that is running. */
  function checkKinds() {
    let stage: string | undefined
    for (const event of data) {
      if (event.type === 'stage') stage = event.stage
      else if (upstreamKinds.has(event.type)) expect(event.stage).toBe(stage)
      if (event.type === 'chunk')
        expect(event).toMatchObject({ stage: 'slides', chunk: expect.any(String) })
      if (event.type === 'outline_chunk') {
        expect(event).toEqual({
          type: 'outline_chunk',
          chunk: expect.any(String),
          run: 1,
          stage: 'outlines',
        })
      }
      if (event.type === 'outlines') {
        expect(event.outlines).toEqual(event.outlines.map(() => expect.any(String)))
        expect(event).toHaveProperty('title')
      }
      if (event.type === 'stored') {
        const sha256 = expect.stringMatching(/^[0-9a-f]{64}$/)
        expect(event).toEqual({
          type: 'stored',
          format: expect.any(String),
          size_bytes: expect.any(Number),
          sha256,
          run: 1,
          stage: 'store',
        })
      }
      if ('slide_index' in event) expect(['chunk', 'slide_assets']).toContain(event.type)
      if (event.type === 'error') {
        expect(event).toMatchObject({
          code: expect.any(String),
          detail: expect.any(String),
          retryable: expect.any(Boolean),
        })
      }
    }
  }

  /**
   * The slides since the latest start of their stage. Checks that the chunks join to one document
   * with the same slides. Undefined when the stage did not complete.
   */
  function slidesOf(): Record<string, unknown>[] | undefined {
    const latest = data.findLastIndex(({ type, stage }) => type === 'stage' && stage === 'slides')
    if (latest === -1) return undefined
    const chunks = data.slice(latest).filter(({ type }) => type === 'chunk')
    const withIndex = chunks.filter((chunk) => 'slide_index' in chunk)
    expect(withIndex.map(({ slide_index }) => slide_index)).toEqual(
      withIndex.map((_, index) => index),
    )
    const slides = withIndex.map(({ chunk }) => JSON.parse(chunk) as Record<string, unknown>)
    const isComplete = data
      .slice(latest)
      .some(({ type, stage }) => type === 'stage' && stage === 'export')
    if (!isComplete) return undefined
    const document = JSON.parse(chunks.map(({ chunk }) => chunk).join('')) as {
      slides: Record<string, unknown>[]
    }
    expect(document).toEqual({ slides })
    return slides
  }
}
