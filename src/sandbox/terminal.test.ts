import { stripVTControlCharacters } from 'node:util'
import { expect, test } from 'vitest'
import { createRunView, type Output } from './terminal.ts'

function createOutput(terminal: Pick<Output, 'isTTY' | 'columns'> = {}) {
  let text = ''
  return {
    ...terminal,
    write: (part: string) => {
      text += part
    },
    text: () => text,
  }
}

const esc = '\x1b'
const controls = new RegExp(`(${esc}\\[\\d+A|${esc}\\[J|\\n)`)

/**
 * The screen that a terminal shows after this output: enough of one for what the view uses (up,
 * clear below).
 */
function screen(text: string): string[] {
  const lines: string[] = []
  let row = 0
  for (const part of text.split(controls)) {
    if (part.startsWith(esc) && part.endsWith('A')) row -= Number(part.slice(2, -1))
    else if (part === `${esc}[J`) lines.splice(row)
    else if (part === '\n') row++
    else lines[row] = (lines[row] ?? '') + stripVTControlCharacters(part).replace('\r', '')
  }
  return lines.slice(0, row)
}

test('without a terminal each step is a plain line', () => {
  const out = createOutput()
  let time = 0
  const view = createRunView(out, () => time)
  view.stage('create', { attempt: 1, progress: 0 })
  time = 1500
  view.stage('outlines', { attempt: 2, progress: 0.02 })
  view.message('Drafting\n your outline')
  view.note('8 outlines')
  view.finish(false)
  expect(out.text()).toBe(
    '▸ create\n✓ create (1.5 s)\n▸ outlines, attempt 2\n  Drafting your outline\n  8 outlines\n✗ outlines (0.0 s)\n',
  )
})

test('in a terminal the list is drawn over itself', () => {
  const out = createOutput({ isTTY: true, columns: 80 })
  let time = 0
  const view = createRunView(out, () => time)
  view.stage('create')
  view.message('queued')
  time = 2000
  view.stage('slides', { progress: 0.3 })
  view.note('4 of 8 slides', 0.5)
  expect(screen(out.text())).toEqual([
    '  ✓ create      2.0 s  ',
    '  · outlines           ',
    '  · prepare            ',
    '  ▸ slides      0.0 s  4 of 8 slides',
    '  · export             ',
    '  · store              ',
    `  ${'█'.repeat(20)}${'░'.repeat(20)}  50 %`,
  ])
  view.finish(true)
  expect(screen(out.text()).at(-1)).toBe(`  ${'█'.repeat(40)} 100 %`)
})

test('no line is wider than the terminal, whatever the script', () => {
  const out = createOutput({ isTTY: true, columns: 40 })
  const view = createRunView(out)
  view.stage('outlines')
  view.note(`8 outlines: ${'茶'.repeat(30)} ${'🍵'.repeat(30)} ${'τσάι'.repeat(30)}`)
  view.finish(true)
  const line = screen(out.text())[1] ?? ''
  expect(line).toMatch(/茶…$/)
  expect([...line].length + [...line.matchAll(/茶/g)].length).toBeLessThanOrEqual(39)
})
