import { stripVTControlCharacters } from 'node:util'
import { expect, test } from 'vitest'
import { createProgressOutput, type Output } from './progress-output.ts'

function createOutput(options: Pick<Output, 'hasColors'> = {}) {
  let text = ''
  return {
    ...options,
    write: (part: string) => {
      text += part
    },
    text: () => text,
  }
}

const escapeCharacter = '\x1b'

/** A run that repeats a stage, goes back to an earlier one, and fails. */
function showFailedRun(output: Output) {
  let timeMs = 0
  const progress = createProgressOutput(output, () => timeMs)
  progress.detail('queued, position 1')
  progress.startStage('create')
  timeMs = 1500
  progress.startStage('outlines')
  timeMs = 2000
  progress.startStage('outlines', 2)
  progress.detail('8 outlines')
  progress.startStage('create', 2)
  progress.startStage('outlines', 3)
  progress.finish(false)
}

const failedRun = `
    queued, position 1
  ▸ create
  ✓ create (1.5 s)
  ▸ outlines
  ✗ outlines failed (0.5 s)
  ▸ outlines, attempt 2
    8 outlines
  ✗ outlines failed (0.0 s)
  ▸ create, attempt 2
  ✓ create (0.0 s)
  ▸ outlines, attempt 3
  ✗ outlines failed (0.0 s)
`

test('prints a plain line for each step', () => {
  const output = createOutput()
  showFailedRun(output)
  expect(`\n${output.text()}`).toBe(failedRun)
})

test('prints the same lines in a terminal with colors, and never moves the cursor', () => {
  const output = createOutput({ hasColors: () => true })
  showFailedRun(output)
  expect(stripVTControlCharacters(`\n${output.text()}`)).toBe(failedRun)
  expect(output.text()).toContain(`${escapeCharacter}[32m✓${escapeCharacter}[39m create`)
  // Only colors: no other control sequence.
  for (const sequence of output.text().split(escapeCharacter).slice(1))
    expect(sequence).toMatch(/^\[\d+m/)
})

test('prints no colors in a terminal that does not want them', () => {
  const output = createOutput({ hasColors: () => false })
  showFailedRun(output)
  expect(`\n${output.text()}`).toBe(failedRun)
})

test('marks every stage of a finished run as done', () => {
  const output = createOutput()
  const progress = createProgressOutput(output, () => 0)
  for (const stage of ['export', 'store']) progress.startStage(stage)
  progress.finish(true)
  progress.finish(false)
  expect(output.text()).toBe('  ▸ export\n  ✓ export (0.0 s)\n  ▸ store\n  ✓ store (0.0 s)\n')
})

test('prints text of any script whole and on one line, without control characters', () => {
  const output = createOutput()
  const progress = createProgressOutput(output)
  const title = `${'茶'.repeat(30)} ${'🍵'.repeat(30)} ${'τσάι'.repeat(30)}`
  progress.detail(`8 outlines: ${title}`)
  progress.detail(`Drafting\n\tyour${escapeCharacter}[2J${escapeCharacter}[1A outline\r\x07`)
  expect(output.text()).toBe(`    8 outlines: ${title}\n    Drafting your outline\n`)
})
