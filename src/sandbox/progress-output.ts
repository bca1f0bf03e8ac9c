// Prints the progress of a run as plain lines, which read the same in a terminal, a pipe and a log
// file. Nothing is redrawn, so the width of the terminal and of its characters does not matter.

import { stripVTControlCharacters, styleText } from 'node:util'

export interface Output {
  write(text: string): unknown
  /** `process.stdout` has it only in a terminal. It respects NO_COLOR and FORCE_COLOR. */
  hasColors?(): boolean
}

export type ProgressOutput = ReturnType<typeof createProgressOutput>

/** `now` is a clock in ms. */
export function createProgressOutput(
  output: Output = process.stdout,
  now: () => number = () => performance.now(),
) {
  const isColored = output.hasColors?.() === true
  const stageOrder: string[] = []
  let current: { stage: string; startedAtMs: number } | undefined

  function print(mark: string, color: 'cyan' | 'green' | 'red', text: string) {
    const shownMark = isColored ? styleText(color, mark, { validateStream: false }) : mark
    output.write(`  ${shownMark} ${toOneLine(text)}\n`)
  }

  function endStage(isDone: boolean) {
    if (!current) return
    const seconds = `${((now() - current.startedAtMs) / 1000).toFixed(1)} s`
    if (isDone) print('✓', 'green', `${current.stage} (${seconds})`)
    else print('✗', 'red', `${current.stage} failed (${seconds})`)
    current = undefined
  }

  return {
    /** A stage starts, and ends the current one: it failed if the run repeats it or goes back. */
    startStage(stage: string, attempt = 1) {
      if (!stageOrder.includes(stage)) stageOrder.push(stage)
      if (current) endStage(stageOrder.indexOf(stage) > stageOrder.indexOf(current.stage))
      current = { stage, startedAtMs: now() }
      print('▸', 'cyan', attempt > 1 ? `${stage}, attempt ${attempt}` : stage)
    },
    /** A detail of the current stage, or of the run before its first stage. */
    detail(text: string) {
      output.write(`    ${toOneLine(text)}\n`)
    },
    /** The run ends, and with it the current stage. */
    finish(isDone: boolean) {
      endStage(isDone)
    },
  }
}

/** Texts of a model must not start new lines or control the terminal. */
function toOneLine(text: string): string {
  return stripVTControlCharacters(text)
    .replace(/[\s\p{Cc}]+/gu, ' ')
    .trim()
}
