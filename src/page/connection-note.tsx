// Says that there is no connection, or that the gateway asks to wait, while that is so.

import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { busy, isOffline } from './connection.ts'
import { timeLeft } from './format.ts'

export function ConnectionNote() {
  const now = useSignal(Date.now())
  const isWaiting = busy.value !== undefined
  useEffect(() => {
    if (!isWaiting) return undefined
    now.value = Date.now()
    const timer = setInterval(() => {
      now.value = Date.now()
    }, 1_000)
    return () => clearInterval(timer)
  }, [isWaiting])
  if (isOffline.value) {
    return (
      <p class="toast toast-note">
        No connection. What you typed stays here, and the page goes on when it is back.
      </p>
    )
  }
  if (!busy.value) return null
  const { detail, untilMs } = busy.value
  const leftMs = untilMs - now.value
  // The client comes a little later than it may, so that many do not come together.
  if (leftMs < -15_000) return null
  return (
    <p class="toast toast-note">
      <span>{detail || 'The gateway is busy.'} The page tries again by itself</span>
      {/* A count that screen readers would read out each second. */}
      <span aria-hidden="true"> in {timeLeft(Math.max(1_000, leftMs))}.</span>
    </p>
  )
}
