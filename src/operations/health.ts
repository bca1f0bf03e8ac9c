// The state for readiness probes. Only the database decides whether the replica is ready; storage
// and Presenton are reported. Probes are frequent, so one check serves all requests of the next
// moments.
import { sleep } from '../async/signals.ts'
import type { Health } from './routes/health.ts'

export interface HealthOptions {
  version: string
  commit: string | null
  isClosing: () => boolean
  pingDatabase: () => Promise<void>
  pingStorage: (signal: AbortSignal) => Promise<void>
  pingPresenton: (signal: AbortSignal) => Promise<void>
  /** What is known without a call: the circuit, and whether this version is supported. */
  presentonState: () => { breaker: string; supported: boolean | undefined; detail?: string }
}

type Status = 'ok' | 'unavailable'

interface Check {
  expiresAtMs: number
  result: Promise<Record<'database' | 'storage' | 'presenton', Status>>
}

const maxAgeMs = 2_000
/** Short, because at every start the database is unavailable at first. */
const maxAgeWhileDownMs = 100
const pingTimeoutMs = 3_000

export function createHealth(options: HealthOptions) {
  let latest: Check | undefined

  async function checkAll() {
    const [database, storage, presenton] = await Promise.all([
      ping(() => options.pingDatabase()),
      ping(options.pingStorage),
      ping(options.pingPresenton),
    ])
    return { database, storage, presenton }
  }

  /** Joins the check under way, or reuses a recent result. */
  function sharedCheck() {
    if (latest && performance.now() < latest.expiresAtMs) return latest.result
    const check: Check = { expiresAtMs: Number.POSITIVE_INFINITY, result: checkAll() }
    void check.result.then(({ database }) => {
      const ageMs = database === 'ok' ? maxAgeMs : maxAgeWhileDownMs
      check.expiresAtMs = performance.now() + ageMs
    })
    latest = check
    return check.result
  }

  return async function health(): Promise<Health> {
    const { database, storage, presenton } = await sharedCheck()
    const { breaker, supported, detail } = options.presentonState()
    const isPresentonOk = presenton === 'ok' && breaker === 'closed' && supported !== false
    const isDown = database !== 'ok' || options.isClosing()
    return {
      status: isDown ? 'down' : storage === 'ok' && isPresentonOk ? 'ok' : 'degraded',
      version: options.version,
      commit: options.commit,
      checks: {
        database: { status: database },
        storage: { status: storage },
        presenton: {
          status: isPresentonOk ? 'ok' : 'unavailable',
          circuit: breaker,
          ...(detail === undefined ? {} : { detail }),
        },
        ...(options.isClosing() ? { shutdown: { status: 'closing' } } : {}),
      },
    }
  }
}

/** Never rejects, and settles after `pingTimeoutMs` even when `call` ignores the signal. */
async function ping(call: (signal: AbortSignal) => Promise<void>): Promise<Status> {
  const settled = new AbortController()
  const unavailable = () => 'unavailable' as const
  const timeout = sleep(pingTimeoutMs, settled.signal).then(unavailable, unavailable)
  const response = call(AbortSignal.timeout(pingTimeoutMs)).then(() => 'ok' as const, unavailable)
  try {
    return await Promise.race([response, timeout])
  } finally {
    settled.abort()
  }
}
