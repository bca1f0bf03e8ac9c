import { Problem } from '../domain/problem.ts'

/**
 * `known`: ids of upstream's templates, undefined while they are unknown.
 * @throws Problem VALIDATION_FAILED
 */
export function checkTemplate(template: string, known: ReadonlySet<string> | undefined): void {
  // The list does not hold the templates that users made in upstream.
  if (!known || known.has(template) || template.startsWith('custom-')) return
  throw new Problem('VALIDATION_FAILED', {
    errors: [{ path: '/template', message: 'is not a template of the generator' }],
  })
}
