import { createHash } from 'node:crypto'
import { canonicalJson } from '../domain/canonical-json.ts'
import type { Brief } from './read-brief.ts'

/** sha256 of a brief with its defaults applied, in hexadecimal. */
export function digestOf(brief: Brief): string {
  return createHash('sha256').update(canonicalJson(brief)).digest('hex')
}
