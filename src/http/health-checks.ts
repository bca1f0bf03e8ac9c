// What readiness says: the database decides, everything else is reported. Probes come from several sides and often, so one look
// serves all who ask within a moment.
import { sleep } from '../domain/deadline.ts'
import type { Health } from './routes/health.ts'

export interface HealthOptions {
  version: string
  commit: string | null
  isClosing: () => boolean
  pingDatabase: () => Promise<void>
  pingStorage: (signal: AbortSignal) => Promise<void>
  pingPresenton: (signal: AbortSignal) => Promise<void>
  /** What is known of upstream without asking: its circuit, and whether it is one that can be driven. */
  presentonState: () => { breaker: string; supported: boolean | undefined; detail?: string }
}

const freshMs = 2_000
const patienceMs = 3_000

type Check = 'ok' | 'unavailable'

export function createHealth(options: HealthOptions) {
  let look: { atMs: number; result: Promise<Record<'database' | 'storage' | 'presenton', Check>> } | undefined

  async function lookAtAll() {
    const [database, storage, presenton] = await Promise.all([
      check(() => options.pingDatabase()),
      check(options.pingStorage),
      check(options.pingPresenton),
    ])
    return { database, storage, presenton }
  }

  return async function health(): Promise<Health> {
    const nowMs = performance.now()
    if (!look || nowMs - look.atMs > freshMs) look = { atMs: nowMs, result: lookAtAll() }
    const { database, storage, presenton } = await look.result
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
