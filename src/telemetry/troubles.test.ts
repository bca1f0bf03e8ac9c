import { expect, it } from 'vitest'
import { createTroubles, type Trouble } from './troubles.ts'

const refused: Trouble = {
  reason: 'credentials_refused',
  variable: 'PRESENTON_PASSWORD',
  detail: 'It refused the credentials.',
}
const limited: Trouble = {
  reason: 'limit_reached',
  variable: 'PRESENTON_URL',
  detail: 'The model limits requests.',
}

function openTroubles() {
  const lines: string[] = []
  let nowMs = 0
  const log = (level: string) => (fields: unknown, message?: string) => {
    const { part, reason, variable } = fields as Record<string, string>
    lines.push([level, part, reason, variable, message].filter(Boolean).join(' '))
  }
  const logger = { warn: log('warn'), info: log('info') } as never
  const troubles = createTroubles({ logger, now: () => nowMs })
  const pass = (ms: number) => {
    nowMs += ms
  }
  return { troubles, lines, pass }
}

it('logs a trouble once a minute, with its part, reason and variable', () => {
  const { troubles, lines, pass } = openTroubles()
  troubles.report('presenton', refused)
  pass(59_999)
  troubles.report('presenton', refused)
  expect(lines).toEqual([
    'warn presenton credentials_refused PRESENTON_PASSWORD trouble with Presenton: It refused the credentials.',
  ])
  pass(1)
  troubles.report('presenton', refused)
  expect(lines).toHaveLength(2)
})

it('knows the trouble that began first until it is cleared', () => {
  const { troubles, lines } = openTroubles()
  expect(troubles.of('presenton')).toBeUndefined()
  troubles.report('presenton', refused)
  troubles.report('presenton', limited)
  troubles.report('presenton', refused)
  expect(troubles.of('presenton')).toEqual(refused)
  expect(troubles.of('model')).toBeUndefined()
  troubles.clear('presenton', 'credentials_refused')
  expect(troubles.of('presenton')).toEqual(limited)
  troubles.clear('presenton')
  expect(troubles.of('presenton')).toBeUndefined()
  expect(lines.slice(2)).toEqual([
    'info presenton credentials_refused Presenton works again',
    'info presenton Presenton works again',
  ])
})

it('logs nothing when a part without trouble is cleared, and begins again after a clear', () => {
  const { troubles, lines } = openTroubles()
  troubles.clear('model')
  troubles.clear('model', 'limit_reached')
  expect(lines).toEqual([])
  troubles.report('model', limited)
  troubles.clear('model')
  troubles.report('model', limited)
  expect(lines).toHaveLength(3)
})
