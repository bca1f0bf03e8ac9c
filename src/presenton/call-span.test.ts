import { expect, it } from 'vitest'
import { templateOf } from './call-span.ts'

it.each([
  ['/api/v1/ppt/presentation/create', '/api/v1/ppt/presentation/create'],
  ['/api/v1/ppt/presentation/stream/6f0c9c2e-1', '/api/v1/ppt/presentation/stream/{id}'],
  ['/api/v1/ppt/presentation/6f0c9c2e-1/export', '/api/v1/ppt/presentation/{id}/export'],
  ['/api/template?group=secret-plan', '/api/template'],
  ['/app_data/exports/Our%20secret%20plan/Q3.pptx', '/app_data/exports/{id}'],
])('names the call of %s by %s', (path, template) => {
  expect(templateOf(path)).toBe(template)
})
