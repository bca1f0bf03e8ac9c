import { vi } from 'vitest'

/** As `vi.waitFor`, whose own limit of a second is too short on a busy machine. */
export function waitFor<Result>(
  check: () => Result | Promise<Result>,
  { timeout = 30_000, interval = 10 }: { timeout?: number; interval?: number } = {},
): Promise<Result> {
  return vi.waitFor(check, { timeout, interval })
}
