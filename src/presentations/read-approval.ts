import type { ApprovalBody } from '../contract/approval.ts'
import type { InvalidPlace } from '../contract/problem.ts'
import { Problem } from '../domain/problem.ts'
import { blankOutlines, hasText } from './read-brief.ts'
import type { Approval } from './review-outlines.ts'

/**
 * Turns a valid body into an approval; a blank title counts as not given.
 * @throws Problem VALIDATION_FAILED when an outline or the template is blank
 */
export function readApproval({ outlines, title, template }: ApprovalBody): Approval {
  const errors: InvalidPlace[] = blankOutlines(outlines ?? [])
  if (template !== undefined && !hasText(template)) {
    errors.push({ path: '/template', message: 'must not be blank' })
  }
  if (errors.length > 0) throw new Problem('VALIDATION_FAILED', { errors })
  return { outlines, title: title !== undefined && hasText(title) ? title : undefined, template }
}
