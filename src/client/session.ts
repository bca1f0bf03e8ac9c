// The session cookie: what authenticates a browser's own requests, such as those for images.

import type { Requests } from './requests.ts'
import type { CallOptions } from './types.ts'

export function createSession({ send }: Requests) {
  return {
    /** Keeps the client's token in the cookie. VALIDATION_FAILED: it is too long for one. */
    open: ({ signal }: CallOptions = {}) =>
      send<void>({ method: 'POST', path: '/session', signal }),

    /** Clears the cookie. */
    close: ({ signal }: CallOptions = {}) =>
      send<void>({ method: 'DELETE', path: '/session', signal }),
  }
}
