// The state for readiness probes. Only the database decides whether the replica is ready; all other
// parts are reported. Probes are frequent, so one check serves all requests of the next moments.
import { sleep } from '../async/signals.ts'
import type { Part, Trouble, Troubles } from '../telemetry/troubles.ts'
import { describeMemory, type Memory } from './memory.ts'
import type { Health } from './routes/health.ts'

export interface HealthOptions {
  version: string
  commit: string | null
  isClosing: () => boolean
  /** The parts that are asked for each check. */
  pinged: Record<Pinged, PingedPart>
  /** What is known without a call: the circuit, and whether this version is supported. */
  presentonState: () => { breaker: string; supported: boolean | undefined; detail?: string }
  memory: () => Memory
  /** Receives the failures of pings, and knows what others have reported. */
  troubles: Troubles
}

export interface PingedPart {
  ping: (signal: AbortSignal) => Promise<void>
  /** The environment variable with its address. */
  variable: string
  /** What an error of `ping` means; by default that the part cannot be reached. */
  explain?: (error: unknown) => Trouble | undefined
}

const pingedParts = ['database', 'storage', 'presenton'] as const
type Pinged = (typeof pingedParts)[number]
/** Parts without a ping: only their troubles are known. */
const otherParts = ['model', 'issuer'] as const

interface Check {
  expiresAtMs: number
  failed: Promise<ReadonlySet<Part>>
}

const maxAgeMs = 2_000
/** Short, because at every start the database is unavailable at first. */
const maxAgeWhileDownMs = 100
const pingTimeoutMs = 3_000

export function createHealth({ pinged, presentonState, troubles, ...options }: HealthOptions) {
  let latest: Check | undefined
  /** The trouble that the last ping of a part found. */
  const found = new Map<Part, Trouble>()

  async function check(part: Pinged): Promise<boolean> {
    const { ping, variable, explain } = pinged[part]
    const before = found.get(part)
    try {
      await withTimeout(ping)
      if (before) troubles.clear(part, before.reason)
      found.delete(part)
      return true
    } catch (error) {
      const trouble = explain?.(error) ?? defaultTrouble(error, variable)
      if (before && before.reason !== trouble.reason) troubles.clear(part, before.reason)
      found.set(part, trouble)
      troubles.report(part, trouble, error)
      return false
    }
  }

  async function checkAll(): Promise<ReadonlySet<Part>> {
    const results = await Promise.all(pingedParts.map(check))
    return new Set(pingedParts.filter((_part, index) => !results[index]))
  }

  /** Joins the check under way, or reuses a recent result. */
  function sharedCheck() {
    if (latest && performance.now() < latest.expiresAtMs) return latest.failed
    const current: Check = { expiresAtMs: Number.POSITIVE_INFINITY, failed: checkAll() }
    void current.failed.then((failed) => {
      const ageMs = failed.has('database') ? maxAgeWhileDownMs : maxAgeMs
      current.expiresAtMs = performance.now() + ageMs
    })
    latest = current
    return current.failed
  }

  /** The state of the circuit and of the version as a trouble. */
  function presentonTrouble(): Trouble | undefined {
    const { breaker, supported, detail } = presentonState()
    const { variable } = pinged.presenton
    if (supported === false) {
      return { reason: 'unsupported', variable, detail: detail ?? 'It is not supported.' }
    }
    if (breaker === 'closed') return undefined
    return { reason: 'failing', variable, detail: 'Too many calls failed: the circuit is open.' }
  }

  return async function health(): Promise<Health> {
    const failed = await sharedCheck()
    const stateTrouble = presentonTrouble()
    const describe = (part: Part) => {
      const trouble = troubles.of(part) ?? (part === 'presenton' ? stateTrouble : undefined)
      const isUnavailable = failed.has(part) || (part === 'presenton' && stateTrouble)
      return {
        status: isUnavailable ? 'unavailable' : trouble ? 'degraded' : 'ok',
        ...(part === 'presenton' && { circuit: presentonState().breaker }),
        ...trouble,
      }
    }
    const parts = [...pingedParts, ...otherParts.filter((part) => troubles.of(part))]
    const checks = {
      ...Object.fromEntries(parts.map((part) => [part, describe(part)])),
      memory: describeMemory(options.memory()),
    }
    const isDown = failed.has('database') || options.isClosing()
    const isOk = Object.values(checks).every(({ status }) => status === 'ok')
    return {
      status: isDown ? 'down' : isOk ? 'ok' : 'degraded',
      version: options.version,
      commit: options.commit,
      checks: { ...checks, ...(options.isClosing() && { shutdown: { status: 'closing' } }) },
    }
  }
}

function defaultTrouble(error: unknown, variable: string): Trouble {
  return error === tooSlow
    ? { reason: 'no_response', variable, detail: 'It does not respond in time.' }
    : { reason: 'unreachable', variable, detail: 'It cannot be reached.' }
}

const tooSlow = new Error(`no response within ${pingTimeoutMs} ms`)

/** Settles after `pingTimeoutMs` even when `ping` ignores the signal. */
async function withTimeout(ping: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const ended = new AbortController()
  const timeout = sleep(pingTimeoutMs, ended.signal).then(() => {
    throw tooSlow
  })
  timeout.catch(() => undefined)
  const aborting = AbortSignal.timeout(pingTimeoutMs)
  try {
    await Promise.race([ping(aborting), timeout])
  } catch (error) {
    throw aborting.aborted ? tooSlow : error
  } finally {
    ended.abort()
  }
}
