// Images that slides name, for clients whose requests need the token: an img element cannot send
// it.

import { readError } from './errors.ts'
import type { Requests } from './requests.ts'
import type { CallOptions } from './types.ts'

export function createImages(requests: Requests) {
  return {
    /** `path` as in a slide: `/app_data/images/…` or `/static/…`. */
    async read(path: string, { signal }: CallOptions = {}): Promise<Blob> {
      const { response } = await requests.openWithRenewal({ path, isAtRoot: true, signal })
      if (!response.ok) throw await readError(response)
      return response.blob()
    },
  }
}
