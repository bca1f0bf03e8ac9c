// Offers the slots of runs that wait to queued runs that could use them: after a minute of waiting
// in a row, and only if another run could go on now. When none could, all runs stay where they are.

import type { Queryable } from '../database/connection.ts'
import { isSlotWanted } from '../database/slots.ts'
import { sharedAccount } from '../presenton/account.ts'
import type { Presenton } from '../presenton/client.ts'
import type { Context } from './context.ts'

/** A run that this worker holds. */
export interface SlotHolder {
  run: { id: string }
  context: Pick<Context, 'slot' | 'waitingFor'> | undefined
}

interface SlotOffersOptions {
  database: Queryable
  presenton: Pick<Presenton, 'isAvailable'>
  held: () => Iterable<SlotHolder>
  slots: { maxRunning: number; maxRunningPerUser: number }
  signal: AbortSignal
  onTrouble: (error: unknown) => void
  now?: () => number
}

/** During an outage upstream is asked this often. */
const recheckMs = 10_000
const availabilityTimeoutMs = 3_000

export function createSlotOffers(options: SlotOffersOptions) {
  const { database, presenton, held, slots, signal, onTrouble } = options
  const { now = () => performance.now() } = options
  let isOffering = false
  let nextCheckMs = Number.NEGATIVE_INFINITY

  /** A limit of the model says itself that upstream responds. */
  async function couldOthersGoOn({ context }: SlotHolder): Promise<boolean> {
    if (context?.waitingFor() === 'limit') return true
    if (now() < nextCheckMs) return false
    const checkSignal = AbortSignal.any([signal, AbortSignal.timeout(availabilityTimeoutMs)])
    if (await presenton.isAvailable({ account: sharedAccount, signal: checkSignal })) return true
    nextCheckMs = now() + recheckMs
    return false
  }

  async function offerOne(): Promise<void> {
    for (const holder of held()) {
      const { run, context } = holder
      if (!context?.slot.hasWaitedLong()) continue
      if (!(await isSlotWanted(database, { ...slots, id: run.id }))) continue
      if (!(await couldOthersGoOn(holder))) continue
      // One at a time: the next offer sees whether the slot was taken.
      return context.slot.giveUp()
    }
  }

  return {
    /** Starts an offer unless one is under way. Never rejects. */
    offer(): void {
      if (isOffering) return
      isOffering = true
      offerOne()
        .catch((error: unknown) => {
          if (!signal.aborted) onTrouble(error)
        })
        .finally(() => {
          isOffering = false
        })
    },
  }
}
