// Shows a run in the terminal: a list of stages and a progress bar that redraw in place, or plain
// lines where the output is no terminal (a pipe, a CI log).

import { stripVTControlCharacters, styleText } from 'node:util'
import { type Stage, stages } from '../contract/stages.ts'

export interface Output {
  write(text: string): unknown
  isTTY?: boolean
  columns?: number
}

export type RunView = ReturnType<typeof createRunView>

type State = {
  mark: 'waiting' | 'running' | 'done' | 'failed'
  startedAt?: number
  endedAt?: number
  note: string
}

const marks = {
  waiting: ['·', 'dim'],
  running: ['▸', 'cyan'],
  done: ['✓', 'green'],
  failed: ['✗', 'red'],
} as const
const barWidth = 40
const redrawMs = 120

export function createRunView(
  out: Output = process.stdout,
  now: () => number = () => performance.now(),
) {
  const isLive = out.isTTY === true
  const isColored = isLive && !process.env['NO_COLOR']
  const states = new Map<Stage, State>(
    stages.map((stage) => [stage, { mark: 'waiting', note: '' }]),
  )
  let current: Stage | undefined
  let progress = 0
  let message = ''
  let drawn = 0
  const timer = isLive ? setInterval(draw, redrawMs) : undefined
  timer?.unref()

  const color = (name: Parameters<typeof styleText>[0], text: string) =>
    isColored ? styleText(name, text, { validateStream: false }) : text
  const say = (line: string) => {
    if (!isLive) out.write(`${line}\n`)
  }

  function draw() {
    if (!isLive) return
    const width = (out.columns ?? 80) - 1
    const lines = [...states].map(([stage, state]) => {
      const [mark, name] = marks[state.mark]
      return `  ${color(name, mark)} ${stage.padEnd(9)}${seconds(state).padStart(8)}  ${state.note}`
    })
    const full = Math.round(progress * barWidth)
    lines.push(
      `  ${color('cyan', '█'.repeat(full))}${color('dim', '░'.repeat(barWidth - full))} ${String(Math.round(progress * 100)).padStart(3)} %`,
    )
    if (message) lines.push(`  ${color('dim', message)}`)
    // Up to the first line, then clear to the end of the screen: a message that went leaves no
    // rest.
    out.write(
      `${drawn ? `\x1b[${drawn}A` : ''}\r\x1b[J${lines.map((line) => fit(line, width)).join('\n')}\n`,
    )
    drawn = lines.length
  }

  function seconds({ startedAt, endedAt }: State): string {
    return startedAt === undefined
      ? ''
      : `${(((endedAt ?? now()) - startedAt) / 1000).toFixed(1)} s`
  }

  function end(stage: Stage | undefined, mark: 'done' | 'failed') {
    const state = stage && states.get(stage)
    if (!stage || !state || state.mark !== 'running') return
    Object.assign(state, { mark, endedAt: now() })
    say(`${marks[mark][0]} ${stage} (${seconds(state)})`)
  }

  return {
    /** A stage starts; the one before it is done. */
    stage(
      stage: Stage,
      { attempt = 1, progress: at }: { attempt?: number; progress?: number } = {},
    ) {
      if (current !== stage) end(current, 'done')
      current = stage
      states.set(stage, {
        mark: 'running',
        startedAt: now(),
        note: attempt > 1 ? `attempt ${attempt}` : '',
      })
      if (at !== undefined) progress = Math.max(progress, at)
      message = ''
      say(`▸ ${stage}${attempt > 1 ? `, attempt ${attempt}` : ''}`)
      draw()
    },
    /** Something counted within the stage under way, such as `3 of 8`. */
    note(text: string, at?: number) {
      const state = current && states.get(current)
      if (state) state.note = text
      if (at !== undefined) progress = Math.max(progress, at)
      say(`  ${text}`)
      draw()
    },
    /** What the upstream or the gateway says meanwhile. */
    message(text: string) {
      message = text.replace(/\s+/g, ' ')
      say(`  ${message}`)
      draw()
    },
    /** The end of the run; nothing is drawn after it. */
    finish(isGood: boolean) {
      end(current, isGood ? 'done' : 'failed')
      current = undefined
      if (isGood) progress = 1
      message = ''
      clearInterval(timer)
      draw()
    },
  }
}

/**
 * Cuts a line to the width of the terminal: one that wraps would count as two when it is drawn
 * over.
 */
function fit(line: string, width: number): string {
  const plain = stripVTControlCharacters(line)
  if (columnsOf(plain) <= width) return line
  let cut = ''
  for (const sign of plain) {
    if (columnsOf(cut + sign) >= width) break
    cut += sign
  }
  return `${cut}…`
}

/** An upper bound: whatever may be drawn two columns wide counts as two. */
function columnsOf(text: string): number {
  let columns = 0
  for (const sign of text)
    columns +=
      /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7ff\uf900-\ufaff\ufe30-\uffef]|\p{Extended_Pictographic}/u.test(
        sign,
      ) || (sign.codePointAt(0) ?? 0) > 0xffff
        ? 2
        : 1
  return columns
}
