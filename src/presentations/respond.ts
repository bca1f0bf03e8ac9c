// The response of routes that start a run: 202 with the presentation. It is stored under the
// idempotency key of the request.

import type { Presentation } from '../contract/presentation.ts'
import type { StoredResponse } from '../database/schema/users.ts'
import type { PresentationRow } from './statements/queries.ts'

export interface Responding {
  respond: (row: PresentationRow) => StoredResponse
}

/** 202 with the presentation as it is now and its address. */
export function createAcceptedResponse(
  view: (row: PresentationRow) => Presentation,
): Responding['respond'] {
  return (row) => {
    const presentation = view(row)
    return { status: 202, location: presentation.links.self, body: presentation }
  }
}
