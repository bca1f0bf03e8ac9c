import { expect, it } from 'vitest'
import { Problem } from '../domain/problem.ts'
import { InvalidFile, SourceTimeout } from '../objects/invalid-file.ts'
import { asUpstreamProblem } from './file-problem.ts'

it('reports an invalid file as a bad file of upstream', () => {
  const cause = new InvalidFile('is empty')
  const expected = { code: 'UPSTREAM_ERROR', failure: 'bad-file', cause }
  expect(asUpstreamProblem(cause)).toMatchObject(expected)
  expect(cause.message).toBe('The file is empty.')
})

it('reports a stalled file as a timeout of upstream', () => {
  const expected = { code: 'UPSTREAM_TIMEOUT', failure: 'fault' }
  expect(asUpstreamProblem(new SourceTimeout(100))).toMatchObject(expected)
})

it('returns every other error unchanged', () => {
  for (const error of [new Problem('STORAGE_UNAVAILABLE'), new Error('the lease is lost')])
    expect(asUpstreamProblem(error)).toBe(error)
})
