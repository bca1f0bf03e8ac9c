// What the interface asks of the installation. Upstream is not asked: it would tell about its own
// account, its provider and its addresses.

import type { Handler, Handlers } from './exchange.ts'

export interface LocalResponsesOptions {
  /** Ends the session of the request, and its cookie. */
  logout: Handler
}

export function createLocalResponses({ logout }: LocalResponsesOptions): Handlers {
  return {
    authStatus: ({ session }) => ({
      configured: true,
      authenticated: true,
      username: session.userName ?? session.userId,
      user_id: null,
      role: 'user',
    }),
    canChangeKeys: () => ({ canChange: false }),
    // Without a provider the interface would show its set-up. It is not the real one.
    runtimeConfig: () => ({ configured: true, config: { LLM: 'openai' } }),
    hasRequiredKey: () => ({ hasKey: true }),
    telemetryStatus: () => ({ telemetryEnabled: false }),
    logout,
  }
}
