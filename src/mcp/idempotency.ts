// Idempotency keys of tool calls. They share the table of the API's keys, in a namespace of each
// tool: its name ends with a space, which no key of the API may hold.

import { fingerprintOf, type Idempotency } from '../http/idempotency.ts'

/** `request` is what must be equal in a repeated call. Undefined without a key. */
export function readToolKey(
  tool: string,
  key: string | undefined,
  request: Record<string, unknown>,
): Idempotency | undefined {
  if (key === undefined) return undefined
  return { key: `${tool} ${key}`, fingerprint: fingerprintOf([tool], request) }
}
