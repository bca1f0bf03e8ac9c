// Sends events as envelopes, the protocol of Sentry and of services like it. A service that is away
// costs a warning: what cannot be sent is dropped.

import type { ErrorReports, ErrorReportsOptions } from './error-reports.ts'
import { createEvent } from './event.ts'

/** More at once are dropped. */
const maxSending = 20
const sendTimeoutMs = 5_000
const flushTimeoutMs = 2_000
const warnMs = 60_000
const maxPauseMs = 3_600_000

export function createSentryReports({
  config,
  release,
  logger,
}: ErrorReportsOptions): ErrorReports {
  const { url, publicKey, environment, hashKey } = config
  const sending = new Set<Promise<void>>()
  let warnedAtMs = Number.NEGATIVE_INFINITY
  let pausedUntilMs = 0

  function warn(status: number | undefined): void {
    if (performance.now() - warnedAtMs < warnMs) return
    warnedAtMs = performance.now()
    const seen = status === undefined ? {} : { status }
    logger.warn({ variable: 'SENTRY_DSN', ...seen }, 'an error was not reported')
  }

  async function send(event: ReturnType<typeof createEvent>): Promise<void> {
    const lines = [
      { event_id: event.event_id, sent_at: new Date().toISOString() },
      { type: 'event', content_type: 'application/json' },
      event,
    ]
    const client = 'presenton-gateway/1'
    const response = await fetch(url, {
      method: 'POST',
      redirect: 'error',
      signal: AbortSignal.timeout(sendTimeoutMs),
      headers: {
        'content-type': 'application/x-sentry-envelope',
        'user-agent': client,
        'x-sentry-auth': `Sentry sentry_version=7, sentry_client=${client}, sentry_key=${publicKey}`,
      },
      body: lines.map((line) => `${JSON.stringify(line)}\n`).join(''),
    })
    await response.body?.cancel()
    if (response.status === 429) pause(response.headers.get('retry-after'))
    if (!response.ok) warn(response.status)
  }

  function pause(retryAfter: string | null): void {
    const seconds = /^\d{1,6}$/.test(retryAfter ?? '') ? Number(retryAfter) : 60
    pausedUntilMs = performance.now() + Math.min(maxPauseMs, seconds * 1000)
  }

  return {
    report(error, context) {
      if (performance.now() < pausedUntilMs || sending.size >= maxSending) return
      const sent = send(createEvent(error, context, { release, environment, hashKey }))
        .catch(() => warn(undefined))
        .finally(() => sending.delete(sent))
      sending.add(sent)
    },

    async flush() {
      let timer: NodeJS.Timeout | undefined
      const timeout = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, flushTimeoutMs)
      })
      await Promise.race([Promise.all(sending), timeout])
      clearTimeout(timer)
    },
  }
}
