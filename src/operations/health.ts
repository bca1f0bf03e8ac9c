// What readiness says: the database decides, everything else is reported. Probes come from several
// sides and often, so one look serves all who ask within a moment.
import { sleep } from '../async/signals.ts'
import type { Health } from './routes/health.ts'

export interface HealthOptions {
  version: string
  commit: string | null
  isClosing: () => boolean
  pingDatabase: () => Promise<void>
  pingStorage: (signal: AbortSignal) => Promise<void>
  pingPresenton: (signal: AbortSignal) => Promise<void>
  /**
   * What is known of upstream without asking: its circuit, and whether it is one that can be
   * driven.
   */
  presentonState: () => { breaker: string; supported: boolean | undefined; detail?: string }
}

const freshMs = 2_000
// A replica whose database has just come, as it does at every start, is not kept waiting by what
// was seen before.
const freshWhileDownMs = 100
const patienceMs = 3_000

type Check = 'ok' | 'unavailable'

export function createHealth(options: HealthOptions) {
  let look:
    | { untilMs: number; result: Promise<Record<'database' | 'storage' | 'presenton', Check>> }
    | undefined

  async function lookAtAll() {
    const [database, storage, presenton] = await Promise.all([
      check(() => options.pingDatabase()),
      check(options.pingStorage),
      check(options.pingPresenton),
    ])
    return { database, storage, presenton }
  }

  /** Whoever asks while a look is under way waits for that one; each has a bound. */
  function lookOrShare() {
    if (look && performance.now() < look.untilMs) return look.result
    const taken = { untilMs: Number.POSITIVE_INFINITY, result: lookAtAll() }
    void taken.result.then(({ database }) => {
      taken.untilMs = performance.now() + (database === 'ok' ? freshMs : freshWhileDownMs)
    })
    look = taken
    return taken.result
  }

  return async function health(): Promise<Health> {
    const { database, storage, presenton } = await lookOrShare()
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

async function check(ping: (signal: AbortSignal) => Promise<void>): Promise<Check> {
  const patience = new AbortController()
  const failed = sleep(patienceMs, patience.signal).then(
    () => 'unavailable' as const,
    () => 'unavailable' as const,
  )
  const answered = ping(AbortSignal.timeout(patienceMs)).then(
    () => 'ok' as const,
    () => 'unavailable' as const,
  )
  try {
    return await Promise.race([answered, failed])
  } finally {
    patience.abort()
  }
}
