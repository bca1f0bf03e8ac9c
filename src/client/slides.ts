// The slides of finished presentations: read, and changed by an instruction.

import type { Requests } from './requests.ts'
import type { CallOptions, CreatingOptions, Presentation, Slides } from './types.ts'

export interface EditOptions extends CreatingOptions {
  /** Export the file as well. */
  export?: boolean | undefined
  /** Refused with REVISION_CONFLICT when the deck has changed since. */
  revision?: number | undefined
}

export function createSlides({ send, create }: Requests) {
  const at = (id: string, rest = '') => `/presentations/${encodeURIComponent(id)}/slides${rest}`

  return {
    list: (id: string, { signal }: CallOptions = {}) => send<Slides>({ path: at(id), signal }),

    /** Lets the model change one slide, in a run of its own. */
    edit(
      id: string,
      index: number,
      instruction: string,
      { revision, export: exports, ...options }: EditOptions = {},
    ): Promise<Presentation> {
      const headers = revision === undefined ? {} : { 'if-match': `"${revision}"` }
      const json = { instruction, ...(exports && { export: true }) }
      return create({ path: at(id, `/${index}/edit`), headers, json }, options)
    },
  }
}
